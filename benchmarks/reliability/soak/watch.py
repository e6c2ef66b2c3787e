"""What is noted about every process of a soak: memory, threads, open files, children, shared memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.harness.processes import role

from triscribe.serving import EmbeddedTriton
from triscribe.serving.shared_memory import FOLDER, NAME

PASSING = (None, "triscribe transcribe")
"""What lives for one request, and is not followed."""


@dataclass(frozen=True)
class Process:
    """One process at one moment; `memory_mb` is its proportional set size."""

    memory_mb: float
    threads: int
    files: int
    children: int


@dataclass(frozen=True)
class Sample:
    """After so many requests: the fixed clip's seconds, every process by its name, MB of shared memory."""

    requests: int
    probe_s: float
    processes: dict[str, Process]
    shared_mb: float

    def line(self) -> str:
        """For people."""
        memory = ", ".join(f"{name} {process.memory_mb:.0f}" for name, process in sorted(self.processes.items()))
        return f"{self.requests}: {1e3 * self.probe_s:.0f} ms; MB: {memory}; shared memory {self.shared_mb:.0f}"


class Watch:
    """Looks at this process and all below it, except what lives only for one request."""

    def __init__(self, server: EmbeddedTriton) -> None:
        process = server.supervisor.process
        assert process is not None
        self._server = process.pid

    def sample(self, requests: int, probe_s: float) -> Sample:
        """How things are now."""
        me = psutil.Process()
        below = me.children(recursive=True)
        named = {"client": me}
        for process in below:
            if (name := _role(process)) not in PASSING:
                named[f"{name} {sum(known.startswith(name) for known in named)}".removesuffix(" 0")] = process
        seen = {name: found for name, process in named.items() if (found := _look(process))}
        return Sample(requests, probe_s, seen, own_shared_memory_mb([self._server, *(p.pid for p in below)]))


def _role(process: psutil.Process) -> str | None:
    try:
        return role(process.cmdline())
    except psutil.Error:
        return None


def _look(process: psutil.Process) -> Process | None:
    try:
        with process.oneshot():
            memory = process.memory_full_info().pss / 1e6
            return Process(memory, process.num_threads(), process.num_fds(), len(process.children()))
    except psutil.Error:
        return None


def own_shared_memory_mb(pids: Iterable[int]) -> float:
    """MB in files of /dev/shm that these processes have mapped."""
    return _size_mb({Path(path) for pid in pids for path in _maps(pid)})


def triton_files() -> set[Path]:
    """Shared memory of any server on this machine."""
    return set(FOLDER.glob(f"{NAME}*"))


def left_mb(before: set[Path]) -> float:
    """MB that were not there `before` and that nobody has mapped: left behind by a server that is gone."""
    mapped = {path for pid in psutil.pids() for path in _maps(pid)}
    return _size_mb({path for path in triton_files() - before if str(path) not in mapped})


def _size_mb(paths: Iterable[Path]) -> float:
    total = 0
    for path in paths:
        try:
            total += path.stat().st_blocks * 512
        except OSError:
            continue
    return total / 1e6


def _maps(pid: int) -> set[str]:
    try:
        text = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return set()
    return {line.split()[-1] for line in text.splitlines() if str(FOLDER) in line}
