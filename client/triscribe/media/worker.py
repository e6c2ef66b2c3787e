"""`python -m triscribe.media.worker`: decodes what `decoder` asks for, under limits, and says what came out.

One JSON object a line in on standard input, one out on standard output; samples go into a file. "spent" says that the
process came to the end of its memory, which it may not get back whole, and should not be used again. The end of
standard input is the end of the process: its parent is gone, or needs it no more.
"""

from __future__ import annotations

import errno
import io
import json
import os
import queue
import sys
import threading
import wave
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from triscribe.errors import AudioError
from triscribe.media import decoding, pcm
from triscribe.media.declared import PcmFormat
from triscribe.types import SAMPLE_RATE

_OPEN_FILES = 32
"""The pipes, the source, the output and what libraries hold; a medium that opens more is refused by the kernel."""

_GROWTH = 5 / 4
"""The block that collects samples grows in steps of this."""


def _address_space() -> int | None:
    """Bytes that this process has mapped, where the kernel tells."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _warm_up() -> None:
    """Decode a moment of silence: PyAV loads parts of itself only then, and a limit must not stand in their way."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE // 2)
        writer.writeframes(bytes(SAMPLE_RATE // 10))
    decoding.decode(file)


def main() -> None:
    """Serve jobs until there are no more."""
    _warm_up()
    mapped = _address_space()
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    while True:
        answer = _answer(jobs.get(), mapped)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _read(jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    # In a thread of its own, so that the end of the input is noticed while a file is decoded.
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)


def _answer(job: dict[str, Any], mapped: int | None) -> dict[str, Any]:
    name = job["label"] or job["path"]
    try:
        _limit(job, mapped)
        channels = _decode(job)
        with Path(job["output"]).open("wb") as file:
            for decoded in channels:
                decoded.samples.tofile(file)
    except AudioError as error:
        spent = isinstance(error.__cause__, MemoryError)
        return {"error": {"kind": type(error).__name__, "message": str(error)}, "spent": spent}
    except MemoryError:
        message = f"{name} asks for more memory than there is"
        return {"error": {"kind": "AudioError", "message": message}, "spent": True}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"no room for the samples of {name}: the disk is full"
            return {"error": {"kind": "StorageError", "message": message}}
        message = f"{name} cannot be decoded: {error.strerror or error}"
        return {"error": {"kind": "AudioError", "message": message}}
    return {
        "channels": [
            {
                "samples": len(decoded.samples),
                "notices": [asdict(notice) for notice in decoded.notices],
                "track": asdict(decoded.track) if decoded.track else None,
                "mix": decoded.mix,
            }
            for decoded in channels
        ]
    }


def _decode(job: dict[str, Any]) -> tuple[decoding.Decoded, ...]:
    if job["folder"]:  # the caller's may have changed since this process was started
        os.chdir(job["folder"])
    path, longest_s, track = Path(job["path"]), job["max_duration_s"], job["track"]
    if job["pcm"]:
        limit = int(longest_s * SAMPLE_RATE)
        with path.open("rb") as file:
            return pcm.decode(file, job["label"] or str(path), PcmFormat(**job["pcm"]), limit, split=job["split"])
    with path.open("rb") if job["label"] else nullcontext(path) as source:
        if job["split"]:
            return decoding.decode_channels(source, max_duration_s=longest_s, track=track)
        return (decoding.decode(source, max_duration_s=longest_s, track=track),)


def _limit(job: dict[str, Any], mapped: int | None) -> None:
    """Bound what this job may use beside the `mapped` bytes of the libraries; on Windows only the length is bounded."""
    try:
        import resource  # noqa: PLC0415 - POSIX only
    except ImportError:
        return
    channels = decoding.MAX_CHANNELS if job["split"] else 1
    sample_bytes = int(job["max_duration_s"] * SAMPLE_RATE) * 4 * channels
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = {
        resource.RLIMIT_CPU: int(usage.ru_utime + usage.ru_stime) + 1 + job["cpu_s"],
        resource.RLIMIT_FSIZE: sample_bytes + 4096,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    if mapped is not None:
        soft[resource.RLIMIT_AS] = mapped + job["memory_bytes"] + int(_GROWTH * sample_bytes)
    for kind, value in soft.items():
        # The hard limit stays: the next job may be allowed more.
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    main()
