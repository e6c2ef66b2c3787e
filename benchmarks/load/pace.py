"""Audio that is sent as somebody speaks it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from tests.harness.audio import pcm16

from triscribe.types import SAMPLE_RATE, Samples


class Speaker:
    """Says samples at 16 kHz, shape (n,), from now on.

    Attributes:
        late_s: how late a piece was sent at most, in seconds.
    """

    def __init__(self, samples: Samples, piece_s: float) -> None:
        self._data = pcm16(samples)
        self._piece = 2 * round(piece_s * SAMPLE_RATE)
        self._started = time.monotonic()
        self.late_s = 0.0

    @property
    def now_s(self) -> float:
        """Seconds since the speech began."""
        return time.monotonic() - self._started

    async def pieces(self) -> AsyncIterator[bytes]:
        """16-bit samples, each piece once it has been spoken."""
        for start in range(0, len(self._data), self._piece):
            due_s = (start + self._piece) / 2 / SAMPLE_RATE
            await asyncio.sleep(max(0.0, due_s - self.now_s))
            self.late_s = max(self.late_s, self.now_s - due_s)
            yield self._data[start : start + self._piece]
