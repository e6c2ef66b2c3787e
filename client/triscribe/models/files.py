"""Small file operations that the store and every source share."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from triscribe.errors import ModelError
from triscribe.models.manifest import File, Model

BUFFER_BYTES = 1 << 20

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Fetch:
    """What a source is asked for.

    Attributes:
        model: the manifest entry.
        missing: its files that are not there yet.
        files: folder that receives them under their short names.
        downloads: folder for unfinished downloads; kept until the model is complete, so a later try resumes.
        revision: commit recorded by an earlier pull, None on the first.
        notify: called with what is being fetched, one line for a person at a time.
    """

    model: Model
    missing: list[File]
    files: Path
    downloads: Path
    revision: str | None
    notify: Notify


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_blob_sha1(path: Path) -> str:
    """Hex name that git gives the file's content; the hub announces it for files that are not in LFS."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(BUFFER_BYTES):
            digest.update(block)
    return digest.hexdigest()


def mismatch(path: Path, size: int | None, sha256: str | None) -> str | None:
    """Why the file's content is not the expected one, None when it is."""
    actual_size = path.stat().st_size
    if size is not None and actual_size != size:
        return f"{actual_size:,} bytes instead of {size:,}"
    if sha256 is not None and (actual := sha256_of(path)) != sha256:
        return f"sha256 {actual} instead of {sha256}"
    return None


def format_bytes(size: int | None) -> str:
    """A size for a person, in decimal units as download pages give it."""
    if size is None:
        return "?"
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"


@contextmanager
def disk_errors(cache_dir: Path) -> Iterator[None]:
    """Map what goes wrong with the disk to ModelError."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ModelError(f"the disk that holds {cache_dir} is full; free some space and pull again") from error
        raise ModelError(f"the model cache {cache_dir} cannot be used: {error}") from error
