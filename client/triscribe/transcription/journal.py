"""What a long job has finished so far, on disk: a job that was killed goes on where it stopped.

A journal is a file of JSON lines beside the output. Its first line names the audio by a hash; each further line is the
answer to one chunk. A line that was cut off by a crash, and whatever follows it, is dropped.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from triscribe.types import SAMPLE_RATE, Chunk, ChunkResult, Samples

logger = logging.getLogger(__name__)

FORMAT = 2
"""Raised when the lines change; a journal of another format is started anew."""

MIN_DURATION_S = 600.0
"""Shorter recordings are done again sooner than anybody would ask for the rest of them."""

START = b'{"format":'
"""How every journal begins."""

_RESULT = TypeAdapter(ChunkResult)
_HEX_DIGITS = 32

LOCK_SUFFIX = ".lock"

Key = tuple[int, int, str]
"""First sample, number of samples, hash of the request."""


class Journal:
    """The finished chunks of one recording.

    Args:
        path: the file; its folder is made when it is opened.
        from_s: recordings shorter than this keep no journal.

    Attributes:
        reused: answers that `get` has given back.
    """

    def __init__(self, path: Path, *, from_s: float = MIN_DURATION_S) -> None:
        self._path = path
        self._from_s = from_s
        self._done: dict[Key, ChunkResult] = {}
        # Not of a thread: opened in a worker's, closed in the caller's.
        self._lock = FileLock(lock_of(path), thread_local=False)
        self._file: BinaryIO | None = None
        self.reused = 0

    def open(self, samples: Samples) -> None:
        """Read what an earlier try has left.

        A job whose journal is in use by another one, or cannot be written, goes on without.

        Args:
            samples: the recording, float32 at 16 kHz, shape `(n_samples,)`. Answers about other audio are dropped.
        """
        if len(samples) < self._from_s * SAMPLE_RATE:
            return
        header = {"format": FORMAT, "audio": hashlib.sha256(samples.data).hexdigest(), "samples": len(samples)}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            self._file = os.fdopen(descriptor, "r+b")
            self._read(self._file, header)
        except Timeout:
            logger.warning("another job is working on %s; this one keeps no journal", self._path)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Leave the file for the next try."""
        if self._file is not None:
            with suppress(OSError):  # a full disk, reported already
                self._file.close()
            self._file = None
        self._lock.release()

    def get(self, chunk: Chunk, request: Mapping[str, Any]) -> ChunkResult | None:
        """The answer to this chunk from an earlier try, if the same was asked."""
        result = self._done.get(_key(chunk, request))
        if result is None:
            return None
        self.reused += 1
        return replace(result, index=chunk.index)

    def put(self, chunk: Chunk, request: Mapping[str, Any], result: ChunkResult) -> None:
        """Keep an answer. A disk that is full ends the journal, not the job."""
        if self._file is None:
            return
        try:
            self._write(self._file, {"chunk": _key(chunk, request), "result": _RESULT.dump_python(result, mode="json")})
        except OSError as error:
            self._give_up(error)

    def discard(self) -> None:
        """Close and remove the file: the output is there, nothing is left to resume."""
        if self._file is not None:
            # Before the lock is released, so that what another job may write meanwhile is not removed.
            self._path.unlink(missing_ok=True)
            Path(self._lock.lock_file).unlink(missing_ok=True)
        self.close()

    def _give_up(self, error: OSError) -> None:
        logger.warning("%s cannot be written (%s): this job cannot be resumed", self._path, error.strerror)
        self.close()

    def _read(self, file: BinaryIO, header: Mapping[str, Any]) -> None:
        first = file.readline()
        if _parsed(first) != header:
            file.seek(0)
            file.truncate()
            self._write(file, header)
            return
        end = file.tell()
        for line in file:
            entry = _parsed(line)
            try:
                start, length, request = entry["chunk"]
                self._done[int(start), int(length), str(request)] = _RESULT.validate_python(entry["result"])
            except (KeyError, TypeError, ValueError, OverflowError, ValidationError):
                break
            end += len(line)
        file.seek(end)
        file.truncate()

    @staticmethod
    def _write(file: BinaryIO, line: Mapping[str, Any]) -> None:
        # In one piece and flushed: what the process wrote survives its own death; a torn line is dropped by `_read`.
        file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        file.flush()


def lock_of(path: Path) -> Path:
    """The lock beside a journal."""
    return path.with_name(path.name + LOCK_SUFFIX)


def _parsed(line: bytes) -> Any:
    """The object of a whole line, else None."""
    if not line.endswith(b"\n"):
        return None
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _key(chunk: Chunk, request: Mapping[str, Any]) -> Key:
    text = json.dumps(request, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HEX_DIGITS]
    return round(chunk.start * SAMPLE_RATE), len(chunk.samples), digest
