"""How many calls are open, in all and for each caller."""

from __future__ import annotations

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
