"""Collecting decoded audio: one growing block, a limit on its length, and values brought into [-1, 1]."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

import numpy as np

from triscribe.errors import AudioTooLongError
from triscribe.types import SAMPLE_RATE, Notice, Samples

_LOUD_SHARE = 0.01
"""With more samples than this beyond ±1, the file is not scaled to ±1 at all (16-bit numbers written as float)."""


class Recording:
    """Samples in one growing block: realloc moves pages instead of copying, so the peak stays near one copy.

    Attributes:
        label: how messages call what is recorded.
        length: samples recorded.
    """

    def __init__(self, label: str, limit: int | None) -> None:
        self.label = label
        self.length = 0
        self._limit = limit
        self._buffer: Samples = np.empty(60 * SAMPLE_RATE, dtype=np.float32)
        self._peak = 0.0
        self._loud = 0
        self._invalid: list[int] = []

    @property
    def duration(self) -> float:
        """Seconds recorded."""
        return self.length / SAMPLE_RATE

    def append(self, block: Samples) -> None:
        """Adds samples, shape `(n_samples,)`; NaN and infinity become zero.

        Raises:
            AudioTooLongError: the recording became longer than allowed.
        """
        end = self.length + len(block)
        if self._limit is not None and end > self._limit:
            raise AudioTooLongError(f"{self.label} is longer than the {self._limit / SAMPLE_RATE:g} s allowed")
        if end > len(self._buffer):
            self._buffer.resize(max(end, len(self._buffer) * 5 // 4), refcheck=False)
        stored = self._buffer[self.length : end]
        stored[:] = block
        peak = float(np.abs(stored).max(initial=0.0))
        if not np.isfinite(peak):
            invalid = np.flatnonzero(~np.isfinite(stored))
            self._invalid += [self.length + int(invalid[0]), self.length + int(invalid[-1]) + 1]
            stored[invalid] = 0.0
            peak = float(np.abs(stored).max())
        if peak > 1.0:
            self._loud += int(np.count_nonzero(np.abs(stored) > 1.0))
            self._peak = max(self._peak, peak)
        self.length = end

    def finish(self) -> tuple[Samples, list[Notice]]:
        """The samples in [-1, 1]. The recording must not be used afterwards."""
        notices = []
        self._buffer.resize(self.length, refcheck=False)
        if self._invalid:
            notices.append(invalid_samples(self._invalid, SAMPLE_RATE))
        if self._loud > _LOUD_SHARE * self.length:
            self._buffer /= np.float32(self._peak)
            notices.append(Notice("rescaled_audio", f"values up to {self._peak:g} were scaled to 1"))
        elif self._peak > 1.0:
            np.clip(self._buffer, -1.0, 1.0, out=self._buffer)
        return self._buffer, notices


def invalid_samples(positions: Sequence[int], rate: int) -> Notice:
    """What is said of samples that were no numbers, from the first position to the last; `rate` is theirs, in Hz."""
    start, end = positions[0] / rate, positions[-1] / rate
    return Notice("invalid_samples", "samples that are not numbers were set to zero", start, end)


def release(samples: Samples) -> None:
    """Lets go of the memory of samples that lie in a file; whoever reads them next gets them from there.

    What was read of a mapped file counts as memory of this process until it is let go, 230 MB for an hour.
    """
    owner: object = samples
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        owner.madvise(mmap.MADV_DONTNEED)
