"""Keeps one Triton alive: starts it, watches it with real requests, restarts it when a worker is dead.

Triton's own health stays 200 with a dead worker (triton-inference-server/server#7230, #8604), so what counts here is
whether the processes are there and whether a request is answered.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass
from enum import Enum

from triscribe.errors import ServingError
from triscribe.serving.process import ServerCommand, ServerProcess
from triscribe.triton.canary import Canary

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watch:
    """How closely the server is watched, in seconds."""

    first_answer: bool = True
    """Whether it serves only after a first canary; else as soon as Triton says so."""
    ready_deadline_s: float = 180.0
    poll_interval_s: float = 0.25
    canary_interval_s: float = 10.0
    canary_deadline_s: float = 20.0
    canary_failures: int = 2
    """Canaries without an answer in a row before the server is given up; an error answer counts at once."""
    frozen_s: float = 5.0
    """How long a process may stay stopped (SIGSTOP) before the server is restarted; it is not ready meanwhile."""
    orphaned_s: float = 10.0
    """How long a starting server gets to end by itself, and to say why, after one of its workers ended."""
    max_restarts: int = 5
    """Restarts in a row, none of which stayed up for `stable_s`, before the supervisor gives up."""
    stable_s: float = 60.0


class State(Enum):
    """What the supervisor knows of its server."""

    STARTING = "starting"
    SERVING = "serving"
    FROZEN = "frozen"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    FAILED = "failed"


_TURN_S = 0.02
"""How often somebody who waits in an event loop looks whether the server has come up."""

_WORKER_DIED = "is not healthy"
"""Triton logs this when a stub was killed. When a stub raises, Triton logs the exception instead, and a restart would
not help."""


class _LostError(ServingError):
    """A starting server was killed, or hangs because a worker was: it may come up at the next try."""


class _CanaryRun:
    """A canary on a thread of its own, so that the processes are watched while its answer is waited for."""

    def __init__(self, canary: Canary, timeout_s: float) -> None:
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._ask, args=(canary, timeout_s), name="canary", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _ask(self, canary: Canary, timeout_s: float) -> None:
        try:
            canary.ask_all(timeout_s=timeout_s)
        except Exception as error:  # kept for the supervisor, whose thread must not end
            self.error = error


class Supervisor:
    """Owns the server process from a thread of its own, so that its parent-death signal is tied to nothing shorter."""

    def __init__(self, command: ServerCommand, canary: Canary, watch: Watch | None = None) -> None:
        self._command = command
        self._canary = canary
        self._watch = watch or Watch()
        self._stop = threading.Event()
        # Not Thread.join: up to Python 3.12 a join that a signal handler leaves by an exception marks the thread as
        # ended, so that the next join returns while Triton still drains.
        self._ended = threading.Event()
        self._changed = threading.Condition()
        self._state = State.STARTING
        self._error: ServingError | None = None
        self._process: ServerProcess | None = None
        self._expected_stubs: set[int] = set()
        self.restarts = 0
        self._thread = threading.Thread(target=self._run, name="triton-supervisor", daemon=True)

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    @property
    def process(self) -> ServerProcess | None:
        """The running server, for tests and the doctor."""
        return self._process

    def start(self) -> None:
        """Start the server and wait until a real request is answered.

        Raises:
            ServingError: it did not come up in time, with the end of its log.
        """
        self.begin()
        self.wait_for_start()

    def begin(self) -> None:
        """Start the server without waiting for it."""
        self._thread.start()

    def wait_for_start(self) -> None:
        """Wait until a real request is answered; raises as `start` does."""
        with self._changed:
            self._changed.wait_for(lambda: self._state in (State.SERVING, State.STOPPED, State.FAILED))
        self.raise_if_failed()

    async def serving(self) -> None:
        """Wait until requests are answered.

        Raises:
            ServingError: it did not come up in time, with the end of its log.
        """
        # Not `start` on a thread: an event loop that ends, as by Ctrl-C, would wait for that thread.
        while self._state in (State.STARTING, State.RESTARTING):  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(_TURN_S)
        self.raise_if_failed()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the supervisor has ended, for good or ill; False on a timeout."""
        return self._ended.wait(timeout_s)

    def stop(self) -> None:
        """Stop the server; returns when it and its stubs are gone."""
        self._stop.set()
        if self._thread.ident is not None:
            self._ended.wait()

    def raise_if_failed(self) -> None:
        """Raise what made the supervisor give up."""
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            try:
                self._launch()
            except _LostError as error:
                self._restart(str(error), self._watch.max_restarts)
            self._set(State.SERVING)
            self._guard()
            self._set(State.STOPPED)
        except ServingError as error:
            self._error = error
            self._set(State.STOPPED if self._stop.is_set() else State.FAILED)
        finally:
            try:
                if self._process:
                    self._process.stop()
            finally:
                self._ended.set()

    def _set(self, state: State) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _launch(self) -> None:
        """One process from nothing to its first answer."""
        self._process = process = ServerProcess(self._command)
        deadline = time.monotonic() + self._watch.ready_deadline_s
        seen: set[int] = set()
        last_whole = looked = time.monotonic()
        while not self._canary.is_ready():
            if process.returncode is not None:
                failure = process.failure(f"Triton ended with status {process.returncode} while it started.")
                killed = process.returncode < 0 or _WORKER_DIED in str(failure)
                raise _LostError(*failure.args) if killed else failure
            if time.monotonic() - looked > self._watch.poll_interval_s:
                looked = time.monotonic()
                stubs, lost, _ = process.look()
                if seen <= stubs and not lost:
                    last_whole = looked
                elif looked - last_whole > self._watch.orphaned_s:
                    raise _LostError(*process.failure("A model worker ended while Triton started.").args)
                seen |= stubs
            if time.monotonic() > deadline:
                raise process.failure(f"Triton was not ready within {self._watch.ready_deadline_s:.0f} s.")
            if self._stop.wait(0.1):
                raise ServingError("Triton was stopped while it started.")
        if self._watch.first_answer:
            try:
                self._canary.ask_all(timeout_s=max(5.0, deadline - time.monotonic()))
            except (ServingError, TimeoutError) as error:
                raise process.failure(f"Triton is up, but its first answer failed: {error}.") from error
        self._expected_stubs = process.stubs()

    def _guard(self) -> None:
        """Watch until `stop` is called, restarting what died."""
        started, in_a_row = time.monotonic(), 0
        while (reason := self._watch_until_sick()) is not None:
            if time.monotonic() - started > self._watch.stable_s:
                in_a_row = 0
            in_a_row += self._restart(reason, self._watch.max_restarts - in_a_row)
            started = time.monotonic()

    def _restart(self, reason: str, attempts: int) -> int:
        """Restart until it serves again; returns how many attempts that took.

        Raises:
            ServingError: all attempts failed, or it was stopped meanwhile.
        """
        for attempt in range(1, attempts + 1):
            logger.warning("restarting Triton: %s", reason)
            self._set(State.RESTARTING)
            if self._process:
                self._process.stop(timeout_s=2.0)
            self.restarts += 1
            try:
                self._launch()
            except ServingError as error:
                if self._stop.is_set():
                    raise
                reason = str(error)
            else:
                self._set(State.SERVING)
                logger.warning("Triton is serving again")
                return attempt
        raise self._dead(f"Triton died {self._watch.max_restarts + 1} times in a row ({reason}).")

    def _dead(self, why: str) -> ServingError:
        return self._process.failure(why) if self._process else ServingError(why)

    def _watch_until_sick(self) -> str | None:
        """Why the server must be restarted, or None when `stop` was called."""
        next_canary = time.monotonic() + self._watch.canary_interval_s
        silent, run = 0, None
        while not self._stop.wait(self._watch.poll_interval_s):
            if reason := self._sick_process():
                return reason
            if run is None and time.monotonic() >= next_canary:
                run = _CanaryRun(self._canary, self._watch.canary_deadline_s)
            if run is None or not run.ended:
                continue
            error, run = run.error, None
            if error is None:
                silent, next_canary = 0, time.monotonic() + self._watch.canary_interval_s
            elif not isinstance(error, TimeoutError):
                return str(error)
            elif (silent := silent + 1) >= self._watch.canary_failures:  # else the next one at once
                return f"{silent} requests in a row got no answer"
        return None

    def _sick_process(self) -> str | None:
        """Why the server must be restarted, as far as its processes tell."""
        process = self._process
        if process is None or process.returncode is not None:
            return f"tritonserver ended with status {process.returncode if process else None}"
        stubs, _, frozen = process.look()
        if lost := self._expected_stubs - stubs:
            return f"{len(lost)} model worker died"
        return self._frozen_process(process) if frozen else None

    def _frozen_process(self, process: ServerProcess) -> str | None:
        """Wait for stopped processes to go on, not ready meanwhile; the reason to restart if they do not."""
        logger.warning("a process of Triton is stopped")
        self._set(State.FROZEN)
        deadline = time.monotonic() + self._watch.frozen_s
        while process.look().frozen:
            if time.monotonic() > deadline:
                return f"a process was stopped for {self._watch.frozen_s:g} s"
            if self._stop.wait(self._watch.poll_interval_s):
                return None
        if (reason := self._sick_process()) is None:
            self._set(State.SERVING)
        return reason
