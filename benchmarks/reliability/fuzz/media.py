"""The decoder under fire: mutations, lies, bombs, and what must stay closed."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from tests.harness import hostile
from tests.harness import opened as watched

from benchmarks.reliability.fuzz.base import Finding, Target
from triscribe.errors import AudioError
from triscribe.media.pool import DecoderPool, Limits

MEMORY_BYTES = 256 << 20
"""Address space of one job beside its samples; far less than the default, so that a leak shows."""

MAX_DURATION_S = 600.0
_LIBRARIES_BYTES = 400 << 20
"""Resident memory of a worker that has done nothing, generously."""


@contextmanager
def _pool() -> Iterator[DecoderPool]:
    pool = DecoderPool(Limits(max_duration_s=MAX_DURATION_S, memory_bytes=MEMORY_BYTES, cpu_s=30))
    try:
        yield pool
    finally:
        pool.close()


def _worker() -> psutil.Process:
    """The worker that started last: this process may have others, of the pool that everything else decodes in."""
    workers = [child for child in psutil.Process().children() if "triscribe.media.worker" in child.cmdline()]
    return max(workers, key=lambda worker: worker.create_time())


def _decode(target: Target, pool: DecoderPool, media: bytes, name: str) -> None:
    """One job; anything but samples or our own error is found."""
    try:
        pool.decode_now(media)
        target.outcomes["decoded"] += 1
    except AudioError as error:
        said = str(error)
        died = re.search(r"ended the decoder.*|takes too long.*|more memory.*", said)
        target.outcomes[died[0] if died else "refused"] += 1
        if "\n" in said or "Traceback" in said:
            target.found(f"{name}: an error of several lines: {said[:200]}")


def _still_works(target: Target, pool: DecoderPool, good: bytes, length: int) -> None:
    if len(pool.decode_now(good).samples) != length:
        target.found("an ordinary file is decoded differently now")


def decoder(target: Target) -> None:
    """Mutations of two seconds in every container."""
    corpus = list(hostile.seeds().values())
    good = corpus[0]
    with _pool() as pool:
        length = len(pool.decode_now(good).samples)
        for case in target.rounds():
            media = hostile.mutated(target.rng, corpus)
            try:
                _decode(target, pool, media, f"case {case}")
            except Exception as error:
                with tempfile.NamedTemporaryFile(prefix="triscribe-finding-", delete=False) as file:
                    file.write(media)
                target.found(f"case {case}: {type(error).__name__}: {error}; the medium is {file.name}")
            if case % 50 == 0:
                _still_works(target, pool, good, length)
        _still_works(target, pool, good, length)


def limits(target: Target) -> None:
    """Lies and bombs: each alone, its worker's largest memory against the limit."""
    cases = [*hostile.lying(), *hostile.bombs(1 if target.seconds < 30 else 10)]
    good = hostile.encoded("pcm_s16le", "wav", 2)
    largest = 0
    for name, media in cases:
        with _pool() as pool:
            length = len(pool.decode_now(good).samples)
            worker = _worker()
            status = Path(f"/proc/{worker.pid}/status")
            (Path(f"/proc/{worker.pid}") / "clear_refs").write_text("5")  # forget the peak of its start
            descriptor = os.open(status, os.O_RDONLY)
            try:
                _decode(target, pool, media, name)
                text = os.pread(descriptor, 4096, 0).decode()
                largest = max(largest, int(re.search(r"VmHWM:\s+(\d+)", text)[1]) * 1024)  # type: ignore[index]
            except (ProcessLookupError, TypeError):
                pass  # it died with the job
            finally:
                os.close(descriptor)
            _still_works(target, pool, good, length)
            target.cases += 1
    sample_bytes = int(MAX_DURATION_S * 16_000 * 4 * 1.25)
    allowed = _LIBRARIES_BYTES + MEMORY_BYTES + sample_bytes
    target.notes.append(f"largest worker {largest >> 20} MiB, at most {allowed >> 20} MiB are allowed")
    if largest > allowed:
        target.found(f"a worker took {largest >> 20} MiB")


_BARE = """
import av, sys
options = {"protocol_whitelist": "file,http,tcp,udp,crypto,data", "allowed_extensions": "ALL", "safe": "0"}
av.open(sys.argv[1], options=options).demux()
"""


def _bait(folder: Path) -> Path:
    bait = folder / "bait.wav"
    bait.write_bytes(hostile.encoded("pcm_s16le", "wav", 2))
    return bait


def prove_watcher(bait: Path, url: str) -> None:
    """An unprotected decoder opens the bait and calls the address, and is seen to.

    Raises:
        Finding: the watcher saw nothing: then it proves nothing.
    """
    for target_, sign in ((str(bait), "path"), (f"http://{url}/a.wav", "socket")):
        script = bait.with_name("control.m3u8")
        script.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.0,\n{target_}\n#EXT-X-ENDLIST\n")
        wait = "import sys; print(flush=True); sys.stdin.readline()"
        child = subprocess.Popen(
            [sys.executable, "-c", wait + _BARE, str(script)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert child.stdin
        assert child.stdout
        child.stdout.readline()
        with watched.watched(child.pid) as seen:
            child.stdin.write(b"\n")
            child.stdin.close()
            child.wait(60)
        child.stdout.close()
        if not (any(path == str(bait) for path in seen.paths) if sign == "path" else seen.sockets):
            raise Finding(f"an unprotected decoder was not seen to open the {sign}: nothing here would be proof")


def references(target: Target) -> None:
    """Nothing is opened but the medium itself and where the samples go."""
    if not watched.is_available():
        raise Finding("strace is not installed, or may not be used here: apt-get install strace")
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener, _pool() as pool:
        bait = _bait(Path(name))
        url = f"127.0.0.1:{listener.getsockname()[1]}"
        listener.settimeout(0.05)
        prove_watcher(bait, "127.0.0.1:9")
        good = hostile.encoded("pcm_s16le", "wav", 2)
        length = len(pool.decode_now(good).samples)
        for media in hostile.seeds().values():  # what a codec loads on first use is no matter of the medium
            pool.decode_now(media)
        worker = _worker()
        cases = list(hostile.referring(str(bait), url))
        with watched.watched(worker.pid) as seen:
            for case, media in cases:
                _decode(target, pool, media, case)
                target.cases += 1
            _still_works(target, pool, good, length)
        if _worker().pid != worker.pid:
            target.found("the worker was replaced: not everything was seen")
        own = re.compile(r".*/triscribe-[^/]+/(media|samples)$")
        for path in sorted({path for path in seen.paths if not own.match(path)}):
            target.found(f"opened {path}")
        for call in seen.sockets[:5]:
            target.found(f"called {call}")
        if sum(bool(own.match(path)) for path in seen.paths) < len(cases):
            target.found("the watcher saw less than the media themselves")
        try:
            listener.accept()
            target.found("somebody called the address")
        except TimeoutError:
            pass
        target.notes.append(f"{len(seen.paths)} opens seen, all of the medium and its samples; no socket")
