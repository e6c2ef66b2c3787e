"""The two-level queue in front of a whisper model: interactive before bulk, in groups that can share a batch.

It lives here because a BLS call cannot carry a Triton priority (docs/adr/0002-queue.md). A group leaves as one
execution, so nothing behind it groups again (docs/adr/0006-executions.md).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .admission import Admission, Gate, Lane, Limits
from .errors import PipelineError

Execute = Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]
"""Runs a group: one payload a job in, one result or exception a job out."""


@dataclass(eq=False)
class _Job:
    payload: Any
    group: Hashable
    cost_s: float
    is_cancelled: Callable[[], bool]
    since: float
    is_first: bool
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Scheduler:
    """Admits, orders and groups the calls to one whisper model. Belongs to one event loop."""

    def __init__(self, limits: Limits, execute: Execute, on_change: Callable[[], None] = lambda: None) -> None:
        """Start empty; `on_change` is called whenever `waiting_s` has changed."""
        self._limits = limits
        self._execute = execute
        self._on_change = on_change
        self._lanes: dict[Lane, deque[_Job]] = {"interactive": deque(), "bulk": deque()}
        self._running = 0
        self._gate = Gate(limits)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting_s(self) -> float:
        """Audio seconds in the queue."""
        return sum(self._gate.waiting.values())

    @contextmanager
    def admitted(self, lane: Lane, cost_s: float, max_wait_s: float | None = None) -> Iterator[Admission]:
        """Let a request in, before any work is done for it.

        Args:
            lane: which queue.
            cost_s: audio seconds of the encoder context of its first call, 0 for a request that makes none.
            max_wait_s: seconds that its calls may wait for their turn; None takes the limit of the queue.

        Raises:
            PipelineError: RESOURCE_EXHAUSTED when its turn would come too late, or the queue is full.
        """
        admission = self._gate.admit(lane, cost_s, max_wait_s)
        try:
            yield admission
        finally:
            self._gate.release(admission)

    async def run(
        self,
        payload: Any,
        *,
        admission: Admission,
        group: Hashable,
        cost_s: float,
        is_cancelled: Callable[[], bool],
    ) -> Any:
        """Wait for a turn, be executed, return the result.

        A further call of a request goes before those that have not begun: what was done for it is not lost.

        Args:
            payload: handed to the execution.
            admission: of the request that this call belongs to.
            group: calls with equal groups may be sent together.
            cost_s: audio seconds of the encoder context.
            is_cancelled: asked when the turn comes; a cancelled call is never started.

        Raises:
            PipelineError: DEADLINE_EXCEEDED when the turn did not come in time, CANCELLED when the caller went away.
        """
        job = _Job(payload, group, cost_s, is_cancelled, admission.since, not admission.has_called)
        waiting, lane = self._lanes[admission.lane], admission.lane
        if admission.has_called:
            waiting.appendleft(job)
        else:
            waiting.append(job)
            admission.has_called = True
            self._gate.release(admission)
        self._moved(lane, cost_s)
        loop = asyncio.get_running_loop()
        # Let the callers that are ready at this moment join the group before it leaves.
        loop.call_soon(self._pump)
        expiry = loop.call_later(admission.max_wait_s, self._expire, lane, job, admission.max_wait_s)
        try:
            return await job.done
        finally:
            expiry.cancel()

    def _moved(self, lane: Lane, cost_s: float) -> None:
        self._gate.waiting[lane] += cost_s
        self._on_change()

    def _expire(self, lane: Lane, job: _Job, patience_s: float) -> None:
        if job in self._lanes[lane]:
            message = f"its turn did not come within {patience_s:g} s"
            self._refuse(lane, job, PipelineError("DEADLINE_EXCEEDED", message))

    def _refuse(self, lane: Lane, job: _Job, error: PipelineError) -> None:
        self._lanes[lane].remove(job)
        self._moved(lane, -job.cost_s)
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
                self._refuse(lane, job, PipelineError("CANCELLED", "the caller went away"))
            if waiting:
                group = self._fullest(waiting) if lane == "bulk" else waiting[0].group
                return self._take_group(lane, group, self._limits.depth if lane == "bulk" else free)
        return []

    def _fullest(self, waiting: deque[_Job]) -> Hashable:
        """The group with the most waiting jobs: small ones fill up meanwhile. The oldest job bounds that."""
        if time.monotonic() - waiting[0].since > self._limits.fair_wait_s:
            return waiting[0].group
        return Counter(job.group for job in waiting).most_common(1)[0][0]

    def _take_group(self, lane: Lane, group: Hashable, executions: int) -> list[_Job]:
        """The oldest job of a group and, in order, those that can share its execution.

        Split the waiting jobs over `executions` equal groups: two halves side by side are faster than one whole beside
        an idle instance. Interactive: over the free instances. Bulk: over all instances, so that the last groups of a
        file shrink and all instances end together (guided self-scheduling, Polychronopoulos and Kuck 1987).
        """
        waiting, cap_s = self._lanes[lane], self._limits.bulk_group_s if lane == "bulk" else float("inf")
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
        self._moved(lane, -total_s)
        return taken

    async def _run(self, jobs: list[_Job]) -> None:
        started, others_wait = time.monotonic(), any(self._lanes.values())
        try:
            results = await self._execute([job.payload for job in jobs])
        except Exception as error:
            results = [error] * len(jobs)
        finally:
            self._running -= 1
            if others_wait:
                self._gate.executed(sum(job.cost_s for job in jobs if job.is_first), time.monotonic() - started)
            self._pump()
        for job, result in zip(jobs, results, strict=True):
            if job.done.done():
                continue
            if isinstance(result, BaseException):
                job.done.set_exception(result)
            else:
                job.done.set_result(result)
