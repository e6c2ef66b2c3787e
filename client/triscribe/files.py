"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TEMPORARY_BYTES = 100
"""Of a name in the name of its temporary file: enough to recognise it, and never too long for a file system."""


def clipped(name: str, room: int) -> str:
    """The longest start of `name` that file systems store in `room` bytes; no character is cut in two."""
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return name


def temporary_beside(path: Path) -> Path:
    """A name in the folder of `path` that nobody uses, for what will become `path`."""
    return path.with_name(f".{clipped(path.name, _TEMPORARY_BYTES)}.{secrets.token_hex(8)}.tmp")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes `path` when the block succeeds and vanishes when it fails."""
    temporary = temporary_beside(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write(path: Path, data: bytes) -> None:
    """Writes a file so that a reader, or a crash, finds either the old content or the whole new one.

    Raises:
        OSError: the folder is missing, full or not writable; nothing is left behind.
    """
    with replacing(path) as temporary:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
