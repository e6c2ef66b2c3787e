"""What `audio.decode` may read from: regular files, bytes and binary streams; never a device, a pipe or an address."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from triscribe.errors import AudioError

_SPOOL_BYTES = 64 * 2**20
"""A stream that cannot seek is kept in memory up to this size, beyond it in a temporary file."""

_HEAD_BYTES = 1024

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

# HLS, concat scripts, PLS, DASH, SMIL, ASX and session descriptions, by how they begin.
_PLAYLIST = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:#EXTM3U|ffconcat version|\[playlist\]|(?:<\?xml[^>]*>\s*)?<(?:MPD|smil|asx)\b|v=0\s+o=)",
    re.IGNORECASE,
)

UNKNOWN_RIFF_SIZE = 0x7FFF_0000
"""Programs that write WAV to a pipe put 0xFFFFFFFF or about 0x7FFFFFFF where the size belongs."""

_SPECIAL_FILES = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe (standard input is written as -)"),
    (stat.S_ISSOCK, "a socket"),
)


class MediaSource:
    """A seekable stream under a neutral name, so that ffmpeg judges the content and never the file's name.

    Attributes:
        label: how messages call it.
        is_read_out: whether its end was reached.
    """

    def __init__(self, label: str, file: BinaryIO) -> None:
        self.label = label
        self.is_read_out = False
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._head = file.read(_HEAD_BYTES)
        file.seek(0)

    def read(self, size: int) -> bytes:
        """At most `size` bytes; PyAV calls it."""
        data = self._file.read(size)
        self.is_read_out = self.is_read_out or len(data) < size
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves and returns the position, or ffmpeg's EINVAL; PyAV calls it, and prints what a seek raises."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):  # damaged files ask for places before their start
            return -errno.EINVAL

    def tell(self) -> int:
        """The position; PyAV calls it."""
        return self._file.tell()

    def check(self) -> None:
        """Refuses what is surely no media, with a better reason than ffmpeg would give.

        Raises:
            AudioError: empty, text, or a playlist.
        """
        if not isinstance(self._head, bytes):
            raise AudioError(f"{self.label} was opened as text; open it in binary mode")
        if not self._head:
            raise AudioError(f"{self.label} is empty")
        if _PLAYLIST.match(self._head):
            raise AudioError(f"{self.label} is a playlist that refers to other files; give the media itself")

    def missing_bytes(self) -> int:
        """How many bytes a WAV file lacks of what its header promises; 0 for other formats."""
        if len(self._head) < 12 or self._head[:4] != b"RIFF" or self._head[8:12] != b"WAVE":
            return 0
        (size,) = struct.unpack_from("<I", self._head, 4)
        return 0 if size >= UNKNOWN_RIFF_SIZE else max(0, size + 8 - self._size)


@contextmanager
def open_source(source: str | Path | bytes | BinaryIO) -> Iterator[MediaSource]:
    """Opens whatever `audio.decode` was given; closes only what it opened.

    Raises:
        AudioError: missing, unreadable, not a regular file, empty, an address or a playlist.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        yield _checked("the audio", io.BytesIO(source))
    elif not isinstance(source, str | os.PathLike):
        with _seekable(source) as file:
            yield _checked("the audio", file)
    elif os.fspath(source) == "-":
        with _seekable(sys.stdin.buffer) as file:
            yield _checked("standard input", file)
    else:
        with _open_regular(Path(source)) as file:
            yield _checked(str(source), file)


def _checked(label: str, file: BinaryIO) -> MediaSource:
    try:
        media = MediaSource(label, file)
    except OSError as error:
        raise AudioError(f"{label} cannot be read: {error.strerror}") from error
    media.check()
    return media


def _open_regular(path: Path) -> BinaryIO:
    try:
        mode = path.stat().st_mode
        for is_kind, kind in _SPECIAL_FILES:
            if is_kind(mode):
                raise AudioError(f"{path} is {kind}, not a file")
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        if _ADDRESS.match(str(path)):
            raise AudioError(f"{path} is an address: download it first, then give the file") from error
        raise AudioError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise AudioError(f"{path} cannot be opened: {getattr(error, 'strerror', error)}") from error


@contextmanager
def _seekable(stream: BinaryIO) -> Iterator[BinaryIO]:
    # Containers keep their index at either end, so what cannot seek (a pipe) is read to its end first.
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
        shutil.copyfileobj(stream, spool)
        yield spool  # type: ignore[misc]
