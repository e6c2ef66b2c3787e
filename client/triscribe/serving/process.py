"""One tritonserver process: its command line, its start, its children, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from triscribe.errors import ServingError
from triscribe.serving.ports import ReservedPorts
from triscribe.serving.runtime import STUB, Runtime
from triscribe.serving.shared_memory import SharedMemory
from triscribe.triton.tls import MutualTls

DRAIN_S = 10.0
"""What requests under way get to finish, after a stop was asked for."""

KILL_S = 5.0
"""Beyond that, what the server gets to end before it is killed."""

ALLOCATOR = {
    "GLIBC_TUNABLES": ":".join(
        f"glibc.malloc.{name}={value}"
        for name, value in {
            "hugetlb": 1,
            "mmap_threshold": 32 << 20,
            "trim_threshold": 8 << 30,
            "top_pad": 64 << 20,
            "arena_max": 2,
        }.items()
    )
}
"""glibc keeps what was freed, in huge pages, in two arenas a process (docs/adr/0017-allocator.md). By default each
execution's activations are given back and faulted in again, 4 KiB at a time."""

_ZOMBIE, _STOPPED = "Z", "T"
"""States of a process in /proc; one that a debugger stopped is "t"."""

_LAUNCHER = Path(__file__).with_name("_exec.py")


@dataclass(frozen=True)
class ServerCommand:
    """All it takes to start Triton, again and again; times in seconds, a connection age of 0 is without end."""

    runtime: Runtime
    repository: Path
    backends: Path
    ports: ReservedPorts
    shared_memory: SharedMemory
    log: Path
    tls: MutualTls | None = None
    max_connection_age_s: int = 0
    drain_s: float = DRAIN_S

    def arguments(self) -> list[str]:
        """The command line of tritonserver."""
        ports = self.ports
        more = self.tls.arguments() if self.tls else []
        if self.max_connection_age_s:
            more.append(f"--grpc-max-connection-age={self.max_connection_age_s * 1000}")
        return [
            str(self.runtime.binary),
            f"--model-repository={self.repository}",
            f"--backend-directory={self.backends}",
            # Closed: the load API accepts file contents, which for a Python model is code execution.
            "--model-control-mode=none",
            "--disable-auto-complete-config",
            f"--backend-config=python,shm-region-prefix-name={self.shared_memory.prefix}-",
            f"--grpc-address={ports.host}",
            f"--grpc-port={ports.grpc}",
            "--reuse-grpc-port=1",
            f"--http-address={ports.host}",
            f"--http-port={ports.http}",
            "--reuse-http-port=1",
            f"--metrics-address={ports.host}",
            f"--metrics-port={ports.metrics}",
            # Our clients ask every 30 s whether a silent connection still lives; five minutes is gRPC's least.
            "--grpc-http2-min-recv-ping-interval-without-data=10000",
            # Never 0: a server that fails to load a model waits as long before it ends, and dies of a signal then.
            f"--exit-timeout-secs={round(self.drain_s) or round(DRAIN_S)}",
            "--log-verbose=0",
            *more,
        ]


class Seen(NamedTuple):
    """Process ids of a server.

    Attributes:
        stubs: the live Python-backend stubs.
        lost: those that ended and were not waited for: Triton waits for ever for a stub that dies while it loads.
        frozen: of the server and its stubs, those that were stopped by a signal and do not go on. A debugger's stop
            does not count: somebody is at it.
    """

    stubs: set[int]
    lost: set[int]
    frozen: set[int]


class ServerProcess:
    """A running tritonserver and its stubs. Start and stop it from one thread that outlives it."""

    def __init__(self, command: ServerCommand) -> None:
        self._command = command
        with command.log.open("ab") as log:
            # PR_SET_PDEATHSIG follows the thread that started the process: see the class docstring.
            self._popen = subprocess.Popen(
                [sys.executable, "-I", str(_LAUNCHER), str(os.getpid()), *command.arguments()],
                # The stubs run side by side: threads of NumPy's products would only wait for each other.
                env={
                    "OPENBLAS_NUM_THREADS": "1",
                    **ALLOCATOR,
                    **os.environ,
                    **command.runtime.environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop it in order
            )

    @property
    def pid(self) -> int:
        """Process id of tritonserver."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, None while it runs."""
        return self._popen.poll()

    def look(self) -> Seen:
        """What there is of its processes at this moment."""
        states = self._stub_states()
        lost = {pid for pid, state in states.items() if state == _ZOMBIE}
        frozen = {pid for pid, state in states.items() if state == _STOPPED}
        if _status(self.pid) == psutil.STATUS_STOPPED:
            frozen.add(self.pid)
        return Seen(states.keys() - lost, lost, frozen)

    def stubs(self) -> set[int]:
        """Process ids of the live Python-backend stubs."""
        return self.look().stubs

    def _stub_states(self) -> dict[int, str]:
        # The server's own children: to ask for a version it runs the stub in a shell, and that one ends at once. Not
        # psutil's children(): it compares times of the day, and a step of the clock meanwhile hides some. Read from
        # /proc, since this is asked four times a second for as long as the server runs: psutil takes three times as
        # long.
        states = {}
        for pid in psutil.pids():
            with suppress(OSError):  # it has just gone
                head, _, rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")
                state, parent = rest.split(maxsplit=2)[:2]
                if int(parent) == self.pid and head.partition(b"(")[2].startswith(STUB[:15].encode()):
                    states[pid] = state.decode()
        return states

    def stop(self, timeout_s: float | None = None) -> None:
        """SIGTERM, then after `timeout_s` (default: the drain and some more) SIGKILL for the server and its rest.

        Without a drain it is SIGKILL at once: Triton takes three seconds to unload its models, and they hold nothing
        that is worth keeping.
        """
        if timeout_s is None:
            timeout_s = self._command.drain_s + KILL_S if self._command.drain_s else 0.0
        stubs = [psutil.Process(pid) for pid in self.stubs() if psutil.pid_exists(pid)]
        if timeout_s:
            if self._popen.poll() is None:
                self._popen.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    self._popen.wait(timeout_s)
            psutil.wait_procs(stubs, timeout=2)
        # The group, not the children: those of a server that was killed are nobody's children any more.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        _await_end(stubs, 2.0)  # or they would still use what is removed now
        self._command.shared_memory.clear()

    def log_tail(self, lines: int = 20) -> str:
        """The end of the server's log without its tables; errors are kept wherever they stand."""
        text = [line for line in self._command.log.read_text(errors="replace").splitlines() if line[:1] not in "+|"]
        errors = [line for line in text[:-lines] if line.startswith("E") or "Error" in line]
        return "\n".join([*errors[-lines:], *text[-lines:]])

    def failure(self, why: str) -> ServingError:
        """The error that shows the end of the log."""
        return ServingError(f"{why} The end of its log ({self._command.log}):\n{self.log_tail()}")


def wait_until(deadline: float, interval_s: float = 0.1) -> bool:
    """Sleep one interval; False once the deadline (of `time.monotonic`) has passed."""
    time.sleep(min(interval_s, max(0.0, deadline - time.monotonic())))
    return time.monotonic() < deadline


def _await_end(processes: list[psutil.Process], timeout_s: float) -> None:
    """Wait until they run no more; one that nobody has waited for (no child of ours, init to come) has ended."""
    deadline = time.monotonic() + timeout_s
    while any(_status(process.pid) not in (None, psutil.STATUS_ZOMBIE) for process in processes):
        if not wait_until(deadline, 0.01):
            return


def _status(pid: int) -> str | None:
    try:
        return str(psutil.Process(pid).status())
    except psutil.Error:
        return None
