"""The two-level queue in front of a whisper model: interactive before bulk, in groups that can share a batch.

It lives here because a BLS call cannot carry a Triton priority (docs/adr/0002-queue.md). A group leaves as one
execution, so nothing behind it groups again (docs/adr/0006-executions.md).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import PipelineError

Lane = Literal["interactive", "bulk"]

Execute = Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]
"""Runs a group: one payload a job in, one result or exception a job out."""


@dataclass(frozen=True)
class Limits:
    """How much waits and how much runs at once. Seconds are audio seconds, those of `*_wait_s` on the clock."""

    max_waiting_s: float = 7200.0
    """What may wait before a request is refused, in both lanes together."""
    group_size: int = 4
    """Chunks in one execution; `serving/machine.py` says why so many."""
    bulk_group_s: float = 60.0
    """Audio in one bulk execution: the longest that an interactive request waits for."""
    depth: int = 1
    """Executions in flight: one for each instance that can run one. More would queue behind each other in Triton,
    where an interactive request cannot overtake them."""
    fair_wait_s: float = 10.0
    """A bulk request that has waited so long goes before fuller groups."""
    max_wait_s: float = 3600.0
    """The longest that a request waits that names no limit of its own."""


@dataclass(eq=False)
class _Job:
    payload: Any
    group: Hashable
    cost_s: float
    is_cancelled: Callable[[], bool]
    since: float = field(default_factory=time.monotonic)
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Scheduler:
    """Admits, orders and groups the calls to one whisper model. Belongs to one event loop."""

    def __init__(self, limits: Limits, execute: Execute, on_change: Callable[[], None] = lambda: None) -> None:
        """Start empty; `on_change` is told whenever `waiting_s` has changed."""
        self._limits = limits
        self._execute = execute
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
        payload: Any,
        *,
        lane: Lane,
        group: Hashable,
        cost_s: float,
        is_cancelled: Callable[[], bool],
        max_wait_s: float | None = None,
    ) -> Any:
        """Wait for a turn, be executed, return the result.

        Args:
            payload: handed to the execution.
            lane: which queue.
            group: calls with equal groups may be sent together.
            cost_s: audio seconds of the encoder context.
            is_cancelled: asked when the turn comes; a cancelled call is never started.
            max_wait_s: seconds that it may wait for its turn; None takes the limit of the queue.

        Raises:
            PipelineError: RESOURCE_EXHAUSTED when the queue is full, DEADLINE_EXCEEDED when the turn did not come in
                time, CANCELLED when the caller went away.
        """
        if self._waiting_s + cost_s > self._limits.max_waiting_s:
            raise PipelineError("RESOURCE_EXHAUSTED", "the queue is full", retry_after_s=self._hint_s())
        job = _Job(payload, group, cost_s, is_cancelled)
        self._lanes[lane].append(job)
        self._waiting_s += cost_s
        self._on_change()
        loop = asyncio.get_running_loop()
        # Let the callers that are ready at this moment join the group before it leaves.
        loop.call_soon(self._pump)
        patience_s = self._limits.max_wait_s if max_wait_s is None else min(max_wait_s, self._limits.max_wait_s)
        expiry = loop.call_later(patience_s, self._expire, lane, job, patience_s)
        try:
            return await job.done
        finally:
            expiry.cancel()

    def _hint_s(self) -> float:
        return round(max(1.0, self._waiting_s / self._speed / 2), 1)

    def _expire(self, lane: Lane, job: _Job, patience_s: float) -> None:
        if job in self._lanes[lane]:
            message = f"its turn did not come within {patience_s:g} s"
            self._refuse(self._lanes[lane], job, PipelineError("DEADLINE_EXCEEDED", message))

    def _refuse(self, waiting: deque[_Job], job: _Job, error: PipelineError) -> None:
        waiting.remove(job)
        self._waiting_s -= job.cost_s
        self._on_change()
        if not job.done.done():
            job.done.set_exception(error)

    def _pump(self) -> None:
        while (free := self._limits.depth - self._running) > 0 and (jobs := self._take(free)):
            self._running += 1
            task = asyncio.get_running_loop().create_task(self._run(jobs))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take(self, free: int) -> list[_Job]:
        """The next group, when so many executions may start."""
        for lane, waiting in self._lanes.items():
            for job in [job for job in waiting if job.done.done() or job.is_cancelled()]:
                self._refuse(waiting, job, PipelineError("CANCELLED", "the caller went away"))
            if waiting:
                bulk = lane == "bulk"
                group = self._fullest(waiting) if bulk else waiting[0].group
                if bulk:
                    return self._take_group(waiting, group, self._limits.depth, self._limits.bulk_group_s)
                return self._take_group(waiting, group, free, float("inf"))
        return []

    def _fullest(self, waiting: deque[_Job]) -> Hashable:
        """The group with the most waiting jobs: small ones fill up meanwhile. The oldest job bounds that."""
        if time.monotonic() - waiting[0].since > self._limits.fair_wait_s:
            return waiting[0].group
        return Counter(job.group for job in waiting).most_common(1)[0][0]

    def _take_group(self, waiting: deque[_Job], group: Hashable, executions: int, cap_s: float) -> list[_Job]:
        """The oldest job of a group and, in order, those that can share its execution.

        What waits is shared out between `executions`: two halves side by side are faster than one whole beside an
        idle instance. For interactive requests these are the ones that may start now. The end of a file is shared
        with those that still run, too: its groups shrink, so that all instances end at nearly the same time (guided
        self-scheduling, Polychronopoulos and Kuck 1987).
        """
        alike = [job for job in waiting if job.group == group]
        sharing = executions - len({job.group for job in waiting}) + 1  # the other groups want one too
        share = -(-len(alike) // max(1, sharing))
        taken: list[_Job] = []
        total_s = 0.0
        for job in alike[: min(share, self._limits.group_size)]:
            if taken and total_s + job.cost_s > cap_s:
                break
            taken.append(job)
            total_s += job.cost_s
            waiting.remove(job)
        self._waiting_s -= total_s
        self._on_change()
        return taken

    async def _run(self, jobs: list[_Job]) -> None:
        started = time.monotonic()
        try:
            results = await self._execute([job.payload for job in jobs])
        except Exception as error:
            results = [error] * len(jobs)
        finally:
            self._running -= 1
            speed = sum(job.cost_s for job in jobs) / max(time.monotonic() - started, 1e-3)
            self._speed += 0.1 * (speed - self._speed)
            self._pump()
        for job, result in zip(jobs, results, strict=True):
            if job.done.done():
                continue
            if isinstance(result, BaseException):
                job.done.set_exception(result)
            else:
                job.done.set_result(result)
