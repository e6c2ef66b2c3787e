"""Faults of the machine: full disks, full shared memory, too little memory, taken ports, damaged weights."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
from tests.harness.audio import wav
from tests.harness.paths import COMMAND
from tests.harness.processes import polled, wait_for

from benchmarks.load.replicas import harmed_calls, short_calls
from benchmarks.reliability.faults.stage import CALLERS, CALLS, MODEL, UNSHARE, Fault, Readiness, Seen, Service, Stage
from triscribe.models import ModelStore
from triscribe.types import ChunkResult

CGROUPS = Path("/sys/fs/cgroup/memory")
TIMEOUT_S = 240
CLOCK_STEP_S = 150
"""More than any deadline of a short call and any wait between processes."""


def full_output(stage: Stage) -> Seen:
    """The folder of the output has no room: told in a line before the work, nothing half-written."""
    folder = stage.work / "full"
    folder.mkdir(exist_ok=True)
    audio = stage.work / "talk.wav"
    audio.write_bytes(wav(stage.recording))
    job = [COMMAND, "transcribe", "--server", stage.service.url, "--format", "json", "--output-dir", str(folder)]
    ended = _on_full_disk(folder, "64k", [*job, str(audio)], then=f"ls -A {folder} >&2")
    left = [line for line in ended.stderr.splitlines() if "talk" in line and "talk.wav" not in line]
    told = "No space left" in ended.stderr and "Traceback" not in ended.stderr
    return Seen(ended.returncode == 2 and told and not left, f"status {ended.returncode}: {_last(ended.stderr)}")


def full_run_directory(stage: Stage) -> Seen:
    """Too little room for the run directory: the command ends with the reason."""
    tmp = stage.work / "full-run"
    tmp.mkdir(exist_ok=True)
    ports = [f"--{name}-port=0" for name in ("grpc", "http", "metrics", "health")]
    ended = subprocess.run(
        [*UNSHARE, "sh", "-ec", f'mount -t tmpfs -o size=64k none {tmp}\nexec "$@"', "sh",
         *(COMMAND, "serve", "--model", MODEL, *ports)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "TMPDIR": str(tmp)},
    )  # fmt: skip
    ok = ended.returncode == 1 and "No space left" in ended.stderr and "Traceback" not in ended.stderr
    return Seen(ok, f"status {ended.returncode}: {_last(ended.stderr)}")


def full_log(stage: Stage) -> Seen:
    """The disk of the run directory, with Triton's log, gets full while it serves."""
    expected, tmp = stage.calls, stage.work / "log-tmp"
    tmp.mkdir(exist_ok=True)
    with _service_with(stage, "log", f"mount -t tmpfs -o size=32m none {tmp}", tmp=tmp) as service:
        inside = _inside(service, tmp)
        got = asyncio.run(harmed_calls(service.url, CALLS, lambda: _fill(inside, 0), callers=CALLERS))
        ok = got == expected and service.is_ready()
    return Seen(ok, "served on", equal=got == expected)


def full_cache(stage: Stage) -> Seen:
    """The cache of weights has no room: told in a line before anything is fetched."""
    cache = stage.work / "cache"
    cache.mkdir(exist_ok=True)
    job = [COMMAND, "models", "pull", "--cache-dir", str(cache), MODEL]
    ended = _on_full_disk(cache, "1m", job)
    said = " ".join(ended.stderr.split())
    ok = ended.returncode == 1 and "has 0 B free" in said and "Traceback" not in said
    return Seen(ok, f"status {ended.returncode}: {_last(ended.stderr)}")


def full_shared_memory(stage: Stage) -> Seen:
    """/dev/shm is filled up to 256 KiB under load, and freed after 8 s."""
    expected = stage.calls
    with _service_with(stage, "shm", "mount -t tmpfs -o size=256m none /dev/shm") as service:
        shm = _inside(service, Path("/dev/shm"))

        def fill() -> None:
            readiness.begin()
            _fill(shm, 256)
            threading.Timer(8, lambda: (shm / "filler").unlink(missing_ok=True)).start()

        readiness = Readiness(service.is_ready)
        with polled(readiness.look, 0.1):
            got = asyncio.run(harmed_calls(service.url, CALLS, fill, callers=CALLERS))
            with suppress(TimeoutError):
                service.wait_ready()
        equal = got == expected
        equal = equal and asyncio.run(short_calls(service.url, CALLS, callers=CALLERS)) == expected
    return Seen(equal, "nothing lost" if equal else "lost", readiness.lost_s, readiness.back_s, equal)


def memory_limit(stage: Stage) -> Seen:
    """The whisper worker comes under a cgroup's limit of 16 MiB for what it asks for from then on: it is killed.

    Memory that it keeps is not counted, so this one gives back what it frees.
    """
    expected = stage.calls
    giving_back = "export GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=0"
    with _cgroup() as group, _service_with(stage, "memory", giving_back) as service:
        readiness = Readiness(service.is_ready)
        (group / "memory.limit_in_bytes").write_text(str(16 * 2**20))

        def limit() -> None:
            readiness.begin()
            (group / "cgroup.procs").write_text(str(service.part("whisper").pid))

        with polled(readiness.look, 0.1):
            got = asyncio.run(harmed_calls(service.url, CALLS, limit, callers=CALLERS))
            readiness.wait_back()
        killed = _oom_kills(group)
    equal = got == expected
    ok = equal and killed > 0 and readiness.in_time
    return Seen(ok, f"the kernel killed {killed} process", readiness.lost_s, readiness.back_s, equal)


def one_port(stage: Stage) -> Seen:
    """A second server on the ports of the first: refused at once; the first does not notice."""
    service, expected = stage.service, stage.calls

    refused: list[subprocess.CompletedProcess[str]] = []
    command = [COMMAND, "serve", "--model", MODEL, "--grpc-port", str(service.grpc), "--health-port", "0"]

    def second() -> None:
        refused.append(subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False))

    equal = asyncio.run(harmed_calls(service.url, CALLS, second, callers=CALLERS)) == expected
    (ended,) = refused
    ok = ended.returncode == 1 and f"Cannot use 127.0.0.1:{service.grpc}" in ended.stderr
    return Seen(ok and equal, f"refused: {_last(ended.stderr)}", equal=equal)


def one_directory(stage: Stage) -> Seen:
    """A second server with the same folder for run directories and the same cache, started while the first works."""
    service, expected = stage.service, stage.calls
    before = set(service.tmp.glob("triscribe-*"))
    second = Service(stage.work, name="second", tmp=service.tmp)
    try:
        second.start()
        first = asyncio.run(short_calls(service.url, CALLS, callers=CALLERS))
        second.wait_ready()
        other = asyncio.run(short_calls(second.url, CALLS, callers=CALLERS))
        family = second.family()
    finally:
        second.stop()
    psutil.wait_procs(family, timeout=5)
    left = set(service.tmp.glob("triscribe-*")) - before
    again: list[ChunkResult] = asyncio.run(short_calls(service.url, CALLS, callers=CALLERS))
    equal = first == other == again == expected
    return Seen(equal and not left, "neither disturbed the other", equal=equal)


def damaged_model(stage: Stage) -> Seen:
    """A truncated checkpoint: the command ends with the reason, and does not try again."""
    folder = stage.work / "damaged"
    shutil.copytree(ModelStore().pull(MODEL), folder, dirs_exist_ok=True)
    weights = folder / "model.bin"
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    started = time.monotonic()
    ports = [f"--{name}-port=0" for name in ("grpc", "http", "metrics", "health")]
    ended = subprocess.run(
        [COMMAND, "serve", "--model", str(folder), *ports],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    ok = ended.returncode == 1 and "no compute type works" in ended.stderr and "Traceback" not in ended.stderr
    return Seen(ok, f"ended after {time.monotonic() - started:.0f} s with the reason" if ok else _last(ended.stderr))


def flipped_bytes(stage: Stage) -> Seen:
    """A byte of a cached checkpoint is another one: no load can tell, `models verify` does."""
    cache = stage.work / "flipped"
    store = ModelStore()
    inside = store.pull(MODEL).relative_to(store.cache_dir)
    top = inside.parts[0]
    if len(inside.parts) > 1:  # the record of what arrived lies beside the files
        top = str(inside.parent)
    shutil.copytree(store.cache_dir / top, cache / top, dirs_exist_ok=True)
    with (cache / inside / "model.bin").open("r+b") as weights:
        weights.seek(30_000_000)
        byte = weights.read(1)[0]
        weights.seek(-1, os.SEEK_CUR)
        weights.write(bytes([byte ^ 0xFF]))
    command = [COMMAND, "models", "verify", "--cache-dir", str(cache), MODEL]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    ok = ended.returncode == 1 and "corrupt: model.bin" in ended.stdout + ended.stderr
    return Seen(ok, "`models verify` names the file" if ok else _last(ended.stdout + ended.stderr))


def clock_step(stage: Stage) -> Seen:
    """The machine's time of day jumps ahead under load, and back under load: by more than any wait of ours."""
    expected, service = stage.calls, stage.service
    equal, jumps, stepped_s = True, [], 0.0

    def step(by_s: float) -> None:
        nonlocal stepped_s
        time.clock_settime(time.CLOCK_REALTIME, time.time() + by_s)
        stepped_s += by_s

    try:
        with stage.watched(service.is_ready) as readiness:
            readiness.begin()
            for by_s in (CLOCK_STEP_S, -CLOCK_STEP_S):
                began, was = time.monotonic(), time.time()
                jump = partial(step, by_s)
                equal &= asyncio.run(harmed_calls(service.url, CALLS, jump, callers=CALLERS)) == expected
                equal &= asyncio.run(short_calls(service.url, CALLS, callers=CALLERS)) == expected
                jumps.append(round(time.time() - was - (time.monotonic() - began)))
            service.wait_ready()
    finally:
        step(-stepped_s)
    ok = equal and jumps == [CLOCK_STEP_S, -CLOCK_STEP_S]
    seen = "served on" if readiness.lost_s is None else "recovered by itself"
    seen = f"{seen}; jumped by {jumps[0]:+d} and {jumps[1]:+d} s"
    return Seen(ok, seen, readiness.lost_s, readiness.back_s, equal)


@contextmanager
def _service_with(stage: Stage, name: str, before: str, *, tmp: Path | None = None) -> Iterator[Service]:
    """A ready service in a mount namespace of its own, in which `before` was done."""
    prefix = (*UNSHARE, "sh", "-ec", f'{before}\nexec "$@"', "sh")
    service = Service(stage.work, name=name, prefix=prefix, tmp=tmp)
    try:
        service.start()
        service.wait_ready()
        yield service
    finally:
        service.stop()


@contextmanager
def _cgroup() -> Iterator[Path]:
    """A memory cgroup of our own. Needs root and version 1's controller."""
    own = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if ":memory:" in line)
    group = CGROUPS / own.rpartition(":")[2].lstrip("/") / f"triscribe-{os.getpid()}"
    if not group.parent.is_dir():
        group = CGROUPS / group.name
    group.mkdir()
    try:
        yield group
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text().strip(), 10)
        group.rmdir()


def _oom_kills(group: Path) -> int:
    found = re.search(r"oom_kill (\d+)", (group / "memory.oom_control").read_text())
    return int(found[1]) if found else 0


def _inside(service: Service, path: Path) -> Path:
    """A path as the service sees it."""
    return Path(f"/proc/{service.process.pid}/root{path}")


def _fill(folder: Path, leave_kib: int) -> None:
    """A file that takes all but so much of the room."""
    with (folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        left = shutil.disk_usage(folder).free - leave_kib * 1024
        while left > 0:
            left -= filler.write(bytes(min(left, 2**20)))


def _on_full_disk(
    folder: Path, size: str, command: list[str], *, then: str = "true"
) -> subprocess.CompletedProcess[str]:
    """Run a command while `folder` is a file system of that size, filled to the last page."""
    script = (
        f"mount -t tmpfs -o size={size} none {folder}\n"
        f"dd if=/dev/zero of={folder}/filler bs=4k 2>/dev/null || true\n"
        f'set +e\n"$@"\nstatus=$?\n{then}\nexit $status'
    )
    return subprocess.run(
        [*UNSHARE, "sh", "-ec", script, "sh", *command],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if "Error" in line or "space" in line] or text.split("\n")[-3:]
    return re.sub(r"/\S+/", "…/", lines[-1])[:160]


def faults() -> list[Fault]:
    """The rows of this part."""
    return [
        Fault("disk-output", "full disk: output folder", "told in a line, no half file", full_output),
        Fault("disk-run", "full disk: run directory at the start", "ends with the reason", full_run_directory),
        Fault("disk-log", "full disk: run directory under load", "serves on", full_log),
        Fault("disk-cache", "full disk: cache of weights", "told in a line", full_cache),
        Fault("shm", "/dev/shm full for 8 s under load", "nothing lost", full_shared_memory),
        Fault(
            "memory",
            "memory limit of a cgroup hit by the whisper worker under load",
            "not ready within 10 s, recovers, nothing lost",
            memory_limit,
        ),
        Fault(
            "clock",
            "the clock jumps by 150 s, then back, both under load",
            "nothing lost",
            clock_step,
            on_request=True,
        ),
        Fault("two-ports", "two servers on one port", "the second is refused", one_port),
        Fault("two-directories", "two servers, one run folder and cache", "both work", one_directory),
        Fault("model-truncated", "a truncated checkpoint", "ends with the reason", damaged_model),
        Fault("model-flipped", "a flipped byte in a checkpoint", "`models verify` tells", flipped_bytes),
    ]
