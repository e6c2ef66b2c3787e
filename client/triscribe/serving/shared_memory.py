"""Shared memory of one server, under names of its own: what a killed Triton leaves of it is found and removed."""

from __future__ import annotations

import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

FOLDER = Path("/dev/shm")  # noqa: S108 - where POSIX shared memory is on Linux
NAME = "triscribe-"


class SharedMemory:
    """The names of a server's regions, from entering to leaving.

    Triton removes its regions when it ends by itself. Killed, it leaves up to some tens of megabytes, and a container
    whose shared memory is full cannot start it any more. A lock says that the owner lives: whoever comes after one that
    was killed too removes what it left.

    Attributes:
        prefix: with which the name of each region begins.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self.prefix = f"{NAME}{uuid.uuid4().hex}"
        self._lock = FileLock(folder / f"{self.prefix}.lock")

    def __enter__(self) -> SharedMemory:
        """Remove what the dead have left, then lock our own."""
        for path in self._folder.glob(f"{NAME}*.lock"):
            # Held by a living server, or another user's.
            with suppress(Timeout, OSError), FileLock(path, timeout=0):
                _remove(self._folder, path.stem)
                path.unlink()
        with suppress(OSError):  # full or read-only: Triton tells the reason, and what it leaves stays
            self._lock.acquire()
        return self

    def clear(self) -> None:
        """Remove the regions; only when no process of the server is left."""
        _remove(self._folder, self.prefix)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()


def _remove(folder: Path, prefix: str) -> None:
    for path in folder.glob(f"{prefix}*"):
        if path.suffix != ".lock":
            with suppress(OSError):
                path.unlink()
