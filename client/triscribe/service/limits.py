"""How many calls are open, in all and for each caller; and when the server behind wants none."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from triscribe.errors import ResourceExhaustedError

_RETRY_S = 5.0
"""Calls end at any moment; a caller that knows better may come back sooner."""


class CallLimits:
    """Counts the open calls; belongs to one event loop."""

    def __init__(self, total: int, per_caller: int) -> None:
        self._total = total
        self._per_caller = per_caller
        self._open: Counter[str] = Counter()

    @contextmanager
    def admit(self, caller: str) -> Iterator[None]:
        """Hold a place for one call.

        Raises:
            ResourceExhaustedError: there is none.
        """
        if self._open.total() >= self._total:
            raise ResourceExhaustedError(f"{self._total} calls are open already", retry_after_s=_RETRY_S)
        if self._open[caller] >= self._per_caller:
            raise ResourceExhaustedError(f"{self._per_caller} of your calls are open already", retry_after_s=_RETRY_S)
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


class Backoff:
    """Refuses calls for a checkpoint while its queue is known to be full: decoding them first would cost others time.

    The server's own hint says how long, but never longer than `LONGEST_S`: its queue lasts for longer than that.
    """

    LONGEST_S = 2.0

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    @contextmanager
    def guard(self, model: str) -> Iterator[None]:
        """Around the work of one call.

        Raises:
            ResourceExhaustedError: the server has refused another call a moment ago.
        """
        left_s = self._until.get(model, 0.0) - time.monotonic()
        if left_s > 0:
            raise ResourceExhaustedError("the server's queue is full", retry_after_s=max(1.0, round(left_s, 1)))
        try:
            yield
        except ResourceExhaustedError as error:
            if error.retry_after_s is not None:
                self._until[model] = time.monotonic() + min(error.retry_after_s, self.LONGEST_S)
            raise
