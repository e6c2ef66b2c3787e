"""The two-level queue in front of a whisper model: interactive before bulk, in groups that can share a batch.

It lives here because a BLS call cannot carry a Triton priority (docs/adr/0002-queue.md).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import PipelineError

Lane = Literal["interactive", "bulk"]


@dataclass(frozen=True)
class Limits:
    """How much waits and how much runs at once. Seconds are audio seconds."""

    max_waiting_s: float = 7200.0
    """What may wait before a request is refused, in both lanes together."""
    group_size: int = 8
    """Chunks in one execution; batches of 16 were slower than 8 on two cores."""
    bulk_group_s: float = 80.0
    """Audio in one bulk execution: the longest that an interactive request waits for."""
    depth: int = 1
    """Executions in flight. One keeps an interactive request from queueing behind a second bulk execution."""


@dataclass
class _Job:
    group: Hashable
    cost_s: float
    call: Callable[[], Awaitable[Any]]
    is_cancelled: Callable[[], bool]
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Scheduler:
    """Admits, orders and groups the calls to one whisper model. Belongs to one event loop."""

    def __init__(self, limits: Limits, on_change: Callable[[], None] = lambda: None) -> None:
        """Start empty; `on_change` is told whenever `waiting_s` has changed."""
        self._limits = limits
        self._on_change = on_change
        self._lanes: dict[Lane, deque[_Job]] = {"interactive": deque(), "bulk": deque()}
        self._running = 0
        self._waiting_s = 0.0
        self._speed = 10.0  # audio seconds a second, a running mean
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting_s(self) -> float:
        """Audio seconds in the queue."""
        return self._waiting_s

    async def run(
        self,
        call: Callable[[], Awaitable[Any]],
        *,
        lane: Lane,
        group: Hashable,
        cost_s: float,
        is_cancelled: Callable[[], bool],
    ) -> Any:
        """Wait for a turn, make the call, return what it returned.

        Args:
            call: starts the execution.
            lane: which queue.
            group: calls with equal groups may be sent together.
            cost_s: audio seconds of the encoder context.
            is_cancelled: asked when the turn comes; a cancelled call is never started.

        Raises:
            PipelineError: RESOURCE_EXHAUSTED when the queue is full, CANCELLED when the caller went away.
        """
        if self._waiting_s + cost_s > self._limits.max_waiting_s:
            wait = max(1.0, self._waiting_s / self._speed / 2)
            raise PipelineError("RESOURCE_EXHAUSTED", "the queue is full", retry_after_s=round(wait, 1))
        job = _Job(group, cost_s, call, is_cancelled)
        self._lanes[lane].append(job)
        self._waiting_s += cost_s
        self._on_change()
        # Let the callers that are ready at this moment join the group before it leaves.
        asyncio.get_running_loop().call_soon(self._pump)
        return await job.done

    def _pump(self) -> None:
        while self._running < self._limits.depth and (jobs := self._take()):
            self._running += 1
            task = asyncio.get_running_loop().create_task(self._execute(jobs))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take(self) -> list[_Job]:
        for lane, waiting in self._lanes.items():
            self._drop_cancelled(waiting)
            if waiting:
                return self._take_group(waiting, self._limits.bulk_group_s if lane == "bulk" else float("inf"))
        return []

    def _drop_cancelled(self, waiting: deque[_Job]) -> None:
        for job in [job for job in waiting if job.is_cancelled()]:
            waiting.remove(job)
            self._waiting_s -= job.cost_s
            self._on_change()
            if not job.done.done():
                job.done.set_exception(PipelineError("CANCELLED", "the caller went away"))

    def _take_group(self, waiting: deque[_Job], cap_s: float) -> list[_Job]:
        """The oldest job and, in order, those that can share its execution."""
        group, total_s = waiting[0].group, 0.0
        taken: list[_Job] = []
        for job in list(waiting):
            if len(taken) == self._limits.group_size:
                break
            if job.group == group and (not taken or total_s + job.cost_s <= cap_s):
                taken.append(job)
                total_s += job.cost_s
                waiting.remove(job)
        self._waiting_s -= total_s
        self._on_change()
        return taken

    async def _execute(self, jobs: list[_Job]) -> None:
        started = time.monotonic()
        try:
            results = await asyncio.gather(*(job.call() for job in jobs), return_exceptions=True)
            for job, result in zip(jobs, results, strict=True):
                if job.done.done():
                    continue
                if isinstance(result, BaseException):
                    job.done.set_exception(result)
                else:
                    job.done.set_result(result)
        finally:
            self._running -= 1
            speed = sum(job.cost_s for job in jobs) / max(time.monotonic() - started, 1e-3)
            self._speed += 0.1 * (speed - self._speed)
            self._pump()
