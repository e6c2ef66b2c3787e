"""Who may wait: a request is refused at once when its turn would come too late (docs/adr/0016-admission.md)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from .errors import PipelineError

Lane = Literal["interactive", "bulk"]

_FIRST_GUESS = 50.0
"""Assumed speed (audio seconds per second) until the first execution with others waiting has been measured: that of a
small checkpoint on one core."""

_WEIGHT = 0.1
"""Share of each further measurement in the running mean."""


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
    interactive_wait_s: float = 10.0
    """An interactive request that would wait longer is refused: whoever asks for it has a deadline of some 30 s,
    and an answer after that is work for nobody."""

    @property
    def round_s(self) -> float:
        """Audio in as many executions as run at once, half full. So much may always wait, however slow the machine."""
        return self.depth * self.group_size * 15.0


@dataclass(eq=False)
class Admission:
    """A request that was let in; all of its calls are served.

    Attributes:
        lane: which queue.
        max_wait_s: what each of its calls may wait, on the clock.
        reserved_s: audio seconds kept for its first call, until that is in the queue.
        since: when it was let in, of `time.monotonic`.
    """

    lane: Lane
    max_wait_s: float
    reserved_s: float
    since: float = field(default_factory=time.monotonic)
    has_called: bool = False


class Gate:
    """Keeps count of what waits in each lane, in audio seconds, and of how fast it leaves."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reserved: dict[Lane, float] = {"interactive": 0.0, "bulk": 0.0}
        self._done_s = self._took_s = 0.0  # both fade, so that the latest executions count most
        self.waiting: dict[Lane, float] = {"interactive": 0.0, "bulk": 0.0}

    def admit(self, lane: Lane, cost_s: float, max_wait_s: float | None) -> Admission:
        """Let a request in whose first call costs `cost_s`; 0 stands for one that has nothing to wait for.

        Raises:
            PipelineError: RESOURCE_EXHAUSTED with the seconds after which it is worth coming back.
        """
        limits = self._limits
        ahead = {lane: self.waiting[lane] + self._reserved[lane] for lane in self.waiting}
        total_s = sum(ahead.values())
        if cost_s and total_s + cost_s > limits.max_waiting_s:
            raise _refusal("the queue is full", total_s / self._rate() / 2)
        waits_for_s = ahead["interactive"] if lane == "interactive" else total_s
        expected_s = waits_for_s / self._rate()
        longest_s = limits.max_wait_s
        if lane == "interactive" and waits_for_s + cost_s > limits.round_s:
            longest_s = min(longest_s, limits.interactive_wait_s)
        if max_wait_s is not None:
            longest_s = min(longest_s, max_wait_s)
        if cost_s and expected_s > longest_s:
            message = f"its turn would come in about {expected_s:.0f} s, later than the {longest_s:g} s allowed"
            raise _refusal(message, expected_s - longest_s)
        self._reserved[lane] += cost_s
        patience_s = limits.max_wait_s if max_wait_s is None else min(max_wait_s, limits.max_wait_s)
        return Admission(lane, patience_s, cost_s)

    def release(self, admission: Admission) -> None:
        """Its first call is in the queue, or it will make none."""
        self._reserved[admission.lane] -= admission.reserved_s
        admission.reserved_s = 0.0

    def executed(self, cost_s: float, took_s: float) -> None:
        """Update the speed from an execution while others waited.

        Executions of an idle queue are smaller, and would make the estimate too low.

        Args:
            cost_s: audio seconds of first calls in it. Further ones cost time that first ones wait for, so they make
                the queue slower.
            took_s: seconds on the clock.
        """
        self._done_s = (1 - _WEIGHT) * self._done_s + cost_s
        self._took_s = (1 - _WEIGHT) * self._took_s + took_s

    def _rate(self) -> float:
        """Audio seconds of first calls a second that leave a queue in which something waits."""
        speed = self._done_s / self._took_s if self._done_s else _FIRST_GUESS
        return self._limits.depth * speed


def _refusal(message: str, retry_after_s: float) -> PipelineError:
    return PipelineError("RESOURCE_EXHAUSTED", message, retry_after_s=round(max(1.0, retry_after_s), 1))
