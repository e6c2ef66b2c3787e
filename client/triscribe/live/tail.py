"""The part of a live stream that is still needed."""

from __future__ import annotations

import time
from collections import deque

import numpy as np

from triscribe.types import Samples


class AudioTail:
    """The end of a stream: samples by their place in it, and when they came in."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[int, Samples, float]] = deque()
        self.end = 0

    def append(self, samples: Samples) -> None:
        """Add samples, shape `(n_samples,)`, that have just come in."""
        self._blocks.append((self.end, samples, time.monotonic()))
        self.end += len(samples)

    def drop_before(self, sample: int) -> None:
        """Forget what lies before a place, block by block."""
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) <= sample:
            self._blocks.popleft()

    def cut(self, start: int, end: int) -> Samples:
        """The samples from `start` to `end`, those forgotten left out."""
        parts = [block[max(0, start - at) : max(0, end - at)] for at, block, _ in self._blocks]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)

    def arrived(self, sample: int) -> float:
        """When that sample came in, on the monotonic clock."""
        for at, block, when in self._blocks:
            if at + len(block) >= sample:
                return when
        return time.monotonic()
