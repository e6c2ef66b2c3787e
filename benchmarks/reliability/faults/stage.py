"""What the faults of `faults.py` share: a service that may be harmed, its parts, and a watch on its readiness."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Protocol

import psutil
from tests.harness.audio import conversation
from tests.harness.processes import polled, wait_for
from tests.harness.replicas import Replica

from benchmarks.load.replicas import file, short_calls
from triscribe.serving.runtime import STUB
from triscribe.types import ChunkResult, Samples, Transcript

MODEL = "tiny.en"
CALLS = 16
CALLERS = 8
MINUTES = 2.0
"""Of the file that is under way when something happens to a long job."""

STOPPED_S = 20.0
"""How long a process is stopped."""
NOTICED_S = 10.0
"""A dead part shows as not ready within this time."""
RECOVERED_S = 60.0

# Root needs no user namespace, and may be forbidden to make one.
UNSHARE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--mount")

Harm = Callable[[psutil.Process], None]


@dataclass(frozen=True)
class Seen:
    """What came of a fault.

    Attributes:
        ok: whether that is what was expected.
        outcome: in words.
        not_ready_s: seconds from the fault to the first answer "not ready".
        ready_s: seconds from the fault until the service was ready again, and stayed so.
        equal: whether every result equals the one without the fault.
    """

    ok: bool
    outcome: str
    not_ready_s: float | None = None
    ready_s: float | None = None
    equal: bool | None = None


class Serving(Protocol):
    """What is harmed: a `triscribe serve`, or the embedded server of a test."""

    @property
    def url(self) -> str:
        """HOST:PORT of its gRPC."""

    def is_ready(self) -> bool:
        """The supervisor's word."""

    def part(self, name: str) -> psutil.Process:
        """One of its processes: `tritonserver`, or a model (the start of its name) for its worker."""


class Service(Replica):
    """A replica whose processes can be harmed one by one; its run directory lies in `work`."""

    def __init__(
        self, work: Path, *, name: str = "service", prefix: Sequence[str] = (), tmp: Path | None = None
    ) -> None:
        self.tmp = tmp or work / f"{name}-tmp"
        self.tmp.mkdir(exist_ok=True)
        super().__init__(name, work, model=MODEL, threads=1, prefix=prefix, environment={"TMPDIR": str(self.tmp)})

    def part(self, name: str) -> psutil.Process:
        """See `Serving`; `supervisor` is the command itself."""
        if name == "supervisor":
            return psutil.Process(self.process.pid)
        return find_part(self.process.pid, name)

    def wait_part(self, name: str) -> psutil.Process:
        """The same as soon as there is one."""
        deadline = time.monotonic() + RECOVERED_S
        while time.monotonic() < deadline:
            with suppress(LookupError, psutil.Error):
                return self.part(name)
            time.sleep(0.05)
        raise TimeoutError(f"{name} was not started: {self.log}")

    def family(self) -> list[psutil.Process]:
        """The command and all below it."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def left_behind(self, family: Sequence[psutil.Process]) -> str:
        """What is still there of a service that ended: processes and run directories; empty is well."""
        _, alive = psutil.wait_procs(family, timeout=5)
        left = [f"process {one.pid}" for one in alive] + [path.name for path in self.tmp.glob("triscribe-*")]
        return ", ".join(left)

    def last_words(self) -> str:
        """The last line of its log."""
        return (self.log.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]


def find_part(root: int, name: str) -> psutil.Process:
    """A process below `root`, see `Serving.part`.

    Raises:
        LookupError: there is none.
    """
    for child in psutil.Process(root).children(recursive=True):
        with suppress(psutil.Error):
            if name == "tritonserver" and child.name() == name:
                return child
            if child.name().startswith(STUB[:15]) and any(f"/models/{name}" in part for part in child.cmdline()):
                return child
    raise LookupError(f"no process of {name}")


class Readiness:
    """When a service was lost and when it was back, in seconds since `begin`; look at it with `polled`."""

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self._is_ready = is_ready
        self._zero = 0.0
        self.lost_s: float | None = None
        self.back_s: float | None = None

    def begin(self) -> None:
        """The fault happens now."""
        self._zero = time.monotonic()

    def look(self) -> None:
        """Ask once."""
        asked = time.monotonic()
        ready = self._is_ready()
        if not self._zero or asked < self._zero:
            return
        now = time.monotonic() - self._zero
        if not ready:
            self.lost_s, self.back_s = now if self.lost_s is None else self.lost_s, None
        elif self.lost_s is not None and self.back_s is None:
            self.back_s = now

    def wait_back(self, timeout_s: float = RECOVERED_S) -> None:
        """Wait until it was lost and is back; gives up without an error."""
        deadline = time.monotonic() + timeout_s
        while self.back_s is None and time.monotonic() < deadline:
            if self.lost_s is None and time.monotonic() - self._zero > STOPPED_S + NOTICED_S:
                return
            time.sleep(0.1)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the fault."""
        return time.monotonic() - self._zero

    @property
    def in_time(self) -> bool:
        """Whether the loss showed within `NOTICED_S`, and the service came back."""
        return self.lost_s is not None and self.lost_s <= NOTICED_S and self.back_s is not None


def kill(process: psutil.Process) -> None:
    """SIGKILL."""
    process.kill()


def terminate(process: psutil.Process) -> None:
    """SIGTERM."""
    process.terminate()


def stop(process: psutil.Process) -> None:
    """SIGSTOP, and SIGCONT after `STOPPED_S` if it is still there."""
    process.suspend()

    def go_on() -> None:
        with suppress(psutil.NoSuchProcess):
            process.resume()

    timer = threading.Timer(STOPPED_S, go_on)
    timer.daemon = True
    timer.start()


class Stage:
    """What is started once and harmed again and again; as a context manager it ends all of it.

    Attributes:
        work: a folder for logs, run directories and mounts.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._uses = 0
        self.work = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="triscribe-faults-")))

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def _service(self) -> Service:
        service = Service(self.work)
        self._stack.callback(service.stop)
        return service

    @property
    def service(self) -> Service:
        """The shared one, ready; started again where a fault has ended or broken it."""
        self._uses += 1
        if self._uses % 4 == 0:  # the supervisor gives up after five restarts in a row without a minute between them
            self._service.stop()
        if not wait_for(self._service.is_ready, 60 if self._service.running else 0):
            self._service.stop()
            self._service.start()
            self._service.wait_ready()
        return self._service

    @cached_property
    def calls(self) -> list[ChunkResult]:
        """Results of short calls without a fault."""
        return asyncio.run(short_calls(self.service.url, CALLS, callers=CALLERS))

    @cached_property
    def recording(self) -> Samples:
        """A long file."""
        return conversation(MINUTES)

    @cached_property
    def transcript(self) -> Transcript:
        """Its transcript without a fault."""
        return asyncio.run(file(self.service.url, self.recording))

    @contextmanager
    def watched(self, is_ready: Callable[[], bool]) -> Iterator[Readiness]:
        """A watch on something's readiness."""
        readiness = Readiness(is_ready)
        with polled(readiness.look, 0.1):
            yield readiness


VERBS: dict[Harm, str] = {kill: "kill -9", stop: "SIGSTOP for 20 s", terminate: "SIGTERM"}
NAMES: dict[Harm, str] = {kill: "kill", stop: "stop", terminate: "term"}

SIGTERM_STATUS = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        done: what is done, in words.
        expected: what should come of it, in words.
        make: provokes it and looks.
        on_request: made only when named, since it harms others on the machine.
    """

    name: str
    done: str
    expected: str
    make: Callable[[Stage], Seen]
    on_request: bool = False
