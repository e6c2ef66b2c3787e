"""Decoding in processes of their own, under limits: a file that crashes the decoder costs its own job and nothing else.

ffmpeg's decoders are a large surface for hostile files. Each job runs in a worker (`decoder_worker`) whose memory,
computing time, open files and output are bounded by the kernel where it can (POSIX). A worker serves one job at a time
and is kept for the next, since starting one takes about as long as decoding ten minutes.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from triscribe.errors import AudioError, AudioTooLongError, StorageError, TriscribeError
from triscribe.media.declared import PcmFormat
from triscribe.media.decoding import Decoded
from triscribe.types import AudioTrack, Notice, Samples

_KEPT = 4
"""Idle workers kept: as many as the command decodes at once. Each holds about 60 MB."""

_ERRORS: dict[str, type[TriscribeError]] = {
    kind.__name__: kind for kind in (AudioError, AudioTooLongError, StorageError)
}


@dataclass(frozen=True)
class Limits:
    """What one job may use.

    Attributes:
        max_duration_s: longest recording where the caller names no limit of his own.
        memory_bytes: address space beside the samples themselves.
        cpu_s: seconds of computing; an hour of audio takes one to five.
    """

    max_duration_s: float = 24 * 3600.0
    memory_bytes: int = 1 << 30
    cpu_s: int = 600


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of one source.

    Attributes:
        max_duration_s: longer audio is refused; None leaves it to the limits of the pool.
        track: number from 1 or language of the audio track; None: the default one.
        pcm: what headerless audio was declared as; None for a media file.
    """

    max_duration_s: float | None = None
    track: str | None = None
    pcm: PcmFormat | None = None


ANYTHING = Asked()


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file that messages call by another name than its path, since a caller never saw the path."""

    path: Path
    label: str


Media = str | Path | bytes | BinaryIO | MediaFile
"""A path ("-" is standard input), the bytes of a media file, an open binary stream, or a file under another name."""


class DecoderPool:
    """Workers that decode. Safe to use from several event loops and threads.

    Args:
        limits: what one job may use.
        at_once: jobs under way at once; further ones wait. Each takes a thread, of which this pool has its own, and
            a process.
    """

    def __init__(self, limits: Limits | None = None, *, at_once: int = 8) -> None:
        """Start without workers; they come with the jobs."""
        self._limits = limits or Limits()
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="triscribe-decoder")

    async def decode(self, source: Media, asked: Asked = ANYTHING) -> Decoded:
        """As `decoding.decode`; a caller that is cancelled ends the work.

        The samples lie in a temporary file that has no name any more, so that a long recording is no burden on the
        memory of this process: the kernel keeps what it can.

        Raises:
            AudioError: as `decoding.decode`, and when the decoder crashed or reached a limit.
            StorageError: the disk for the samples is full.
        """
        (decoded,) = await self._run(source, asked, split=False)
        return decoded

    async def decode_channels(self, source: Media, asked: Asked = ANYTHING) -> tuple[Decoded, ...]:
        """As `decoding.decode_channels`; else as `decode`."""
        return await self._run(source, asked, split=True)

    async def _run(self, source: Media, asked: Asked, *, split: bool) -> tuple[Decoded, ...]:
        worker = _Running()
        decode = partial(self._decode, source, asked, worker, split=split)
        work = asyncio.get_running_loop().run_in_executor(self._threads, decode)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            worker.stop()
            with contextlib.suppress(TriscribeError):
                await work
            raise

    def decode_now(self, source: Media, asked: Asked = ANYTHING) -> Decoded:
        """The same for callers without an event loop."""
        (decoded,) = self._decode(source, asked, _Running(), split=False)
        return decoded

    def close(self) -> None:
        """End the idle workers."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _decode(self, source: Media, asked: Asked, running: _Running, *, split: bool) -> tuple[Decoded, ...]:
        limits = self._limits
        longest_s = limits.max_duration_s if asked.max_duration_s is None else asked.max_duration_s
        with tempfile.TemporaryDirectory(prefix="triscribe-") as folder:
            path, label = _named(source, Path(folder))
            output = Path(folder) / "samples"
            job = {
                **asdict(limits),
                "max_duration_s": longest_s,
                "path": str(path),
                "folder": "" if path.is_absolute() else str(Path.cwd()),
                "label": label,
                "output": str(output),
                "split": split,
                "track": asked.track,
                "pcm": asdict(asked.pcm) if asked.pcm else None,
            }
            worker = self._worker()
            running.started(worker)
            answer = worker.ask(job, label or str(path))
            running.ended()
            if answer.get("spent"):
                worker.close()
            else:
                self._keep(worker)
            if error := answer.get("error"):
                raise _ERRORS[error["kind"]](error["message"])
            channels = np.split(_samples(output), np.cumsum([part["samples"] for part in answer["channels"]])[:-1])
            return tuple(
                Decoded(
                    samples,
                    tuple(Notice(**notice) for notice in part["notices"]),
                    AudioTrack(**part["track"]) if part["track"] else None,
                    part["mix"],
                )
                for samples, part in zip(channels, answer["channels"], strict=True)
            )

    def _worker(self) -> _Worker:
        with contextlib.suppress(queue.Empty):
            while True:
                worker = self._idle.get_nowait()
                if worker.is_alive():
                    return worker
                worker.close()
        return _Worker()

    def _keep(self, worker: _Worker) -> None:
        if self._idle.qsize() < _KEPT:
            self._idle.put(worker)
        else:
            worker.close()


class _Running:
    """The worker of one job, which another thread may stop, even before it was started."""

    def __init__(self) -> None:
        self._worker: _Worker | None = None
        self._is_stopped = False

    def started(self, worker: _Worker) -> None:
        self._worker = worker
        if self._is_stopped:
            worker.kill()

    def ended(self) -> None:
        self._worker = None

    def stop(self) -> None:
        self._is_stopped = True
        if self._worker is not None:
            self._worker.kill()


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            # -P: nothing is imported from the folder the caller happens to be in.
            [sys.executable, "-P", "-m", "triscribe.media.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # ffmpeg's and malloc's last words; the exit status says what is worth saying
            # One job has no use for a thread on every core, nor for glibc's 64 MB of address space for each thread.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
        )
        self._jobs = cast("BinaryIO", self._process.stdin)
        self._answers = cast("BinaryIO", self._process.stdout)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, job: dict[str, Any], label: str) -> dict[str, Any]:
        """The answer to one job.

        Raises:
            AudioError: the worker ended before it answered; it cannot be used again.
        """
        try:
            self._jobs.write(json.dumps(job).encode() + b"\n")
            self._jobs.flush()
            line = self._answers.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            status = self.close()
            raise AudioError(f"{label} {_cause_of_death(status)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> int:
        """End it; returns its exit status."""
        for pipe in (self._jobs, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _cause_of_death(status: int) -> str:
    if os.name == "posix" and status < 0:
        if -status == signal.SIGXCPU:
            return "takes too long to decode"
        return f"ended the decoder ({signal.Signals(-status).name})"
    return f"ended the decoder (exit status {status})"


def _named(source: Media, folder: Path) -> tuple[Path, str]:
    """The source as a file that another process can open, and how messages call it ("" for its path)."""
    if isinstance(source, str | Path) and os.fspath(source) != "-":
        return Path(source), ""
    if isinstance(source, MediaFile):
        return source.path, source.label
    copy = folder / "media"
    if isinstance(source, bytes):
        copy.write_bytes(source)
        return copy, "the audio"
    is_stdin = isinstance(source, str | Path)
    stream = sys.stdin.buffer if isinstance(source, str | Path) else source
    if stream.seekable():
        stream.seek(0)
    try:
        with copy.open("wb") as file:
            shutil.copyfileobj(stream, file)
    except TypeError as error:
        raise AudioError("the audio was opened as text; open it in binary mode") from error
    return copy, "standard input" if is_stdin else "the audio"


def _samples(path: Path) -> Samples:
    if os.name == "nt":  # a file that is mapped cannot be removed there
        return np.fromfile(path, np.float32)
    return np.memmap(path, np.float32, mode="r+")


pool = DecoderPool()
"""The workers of this process."""
atexit.register(pool.close)
