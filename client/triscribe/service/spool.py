"""Uploads on their way in: each in a temporary file, all of them together within a bound."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from triscribe.errors import ResourceExhaustedError, TooLargeError

T = TypeVar("T")

_RETRY_S = 10.0
"""Room comes back when an upload ends; most take longer."""

_WRITERS = 4
"""Threads that write. They wait for a disk, so more of them would not make it faster."""


class Spools:
    """All spools of a gateway; belongs to one event loop.

    Args:
        max_bytes: bound of all of them together.
        max_file_bytes: bound of each.
    """

    def __init__(self, max_bytes: int, max_file_bytes: int) -> None:
        self.max_file_bytes = max_file_bytes
        self._max_bytes = max_bytes
        self._bytes = 0
        self._threads = ThreadPoolExecutor(_WRITERS, thread_name_prefix="spool")

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Spool]:
        """An empty spool, which is removed at the end."""
        with tempfile.NamedTemporaryFile(prefix="triscribe-upload-") as file:
            spool = Spool(self, cast("BinaryIO", file), Path(file.name))
            try:
                yield spool
            finally:
                self._bytes -= spool.size

    def reserve(self, size: int) -> None:
        """Count bytes that are about to be written; the spool gives them back when it is closed.

        Raises:
            ResourceExhaustedError: all uploads together would take more room than they may.
        """
        if self._bytes + size > self._max_bytes:
            raise ResourceExhaustedError("the uploads that wait take all the room there is", retry_after_s=_RETRY_S)
        self._bytes += size

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run what waits for a disk."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class Spool:
    """One upload on disk; `size` counts its bytes."""

    def __init__(self, spools: Spools, file: BinaryIO, path: Path) -> None:
        self._spools = spools
        self._file = file
        self.path = path
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            TooLargeError: the file is larger than it may be.
            ResourceExhaustedError: all uploads together would take more room than they may.
            OSError: the disk is full.
        """
        self.check(self.size + len(data))
        self._spools.reserve(len(data))
        self.size += len(data)
        await self._spools.in_thread(partial(self._file.write, data))

    def check(self, size: int) -> None:
        """Refuse a file of so many bytes, as soon as that is known.

        Raises:
            TooLargeError: it is larger than it may be.
        """
        if size > self._spools.max_file_bytes:
            raise TooLargeError(f"the file is larger than {self._spools.max_file_bytes} bytes", field="audio")

    async def finish(self) -> None:
        """Write what is still in memory."""
        await self._spools.in_thread(self._file.flush)
