"""Pauses between words. Cross-attention gives words no gaps: a word ends where the next begins.

This module cuts the silence out of them, by the level of the audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .features import SAMPLE_RATE
from .result import Word

_HOP = SAMPLE_RATE // 50
"""Samples for one level (20 ms)."""

MIN_QUIET_S = 0.5
"""Longer than the closure of a stop consonant, and than a breath within a phrase."""

_QUIET_SHARE = 0.03
"""A level below this share of the loud ones (30 dB) is a pause."""

_MARGIN_S = 0.05
"""Left to the word before a pause, for its release."""


def quiet_stretches(samples: NDArray[np.float32]) -> list[tuple[float, float]]:
    """(start, end) in seconds of the pauses in `samples`, shape (n,) at 16 kHz; none where noise fills them."""
    frames = samples[: len(samples) // _HOP * _HOP].reshape(-1, _HOP)
    if not len(frames):
        return []
    levels = np.sqrt((frames.astype(np.float64) ** 2).mean(axis=1))
    quiet = np.concatenate([[False], levels < _QUIET_SHARE * np.percentile(levels, 95), [False]])
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8))).reshape(-1, 2) * _HOP / SAMPLE_RATE
    return [(float(start), float(end)) for start, end in edges if end - start >= MIN_QUIET_S]


def out_of_pauses(words: Sequence[Word], pauses: Sequence[tuple[float, float]]) -> list[Word]:
    """The words without the pauses that they run into: the end of a word gives way, or its start, if that is in one."""
    moved = []
    for word in words:
        start, end = word.start, word.end
        for quiet_start, quiet_end in pauses:
            if start >= quiet_start and start < quiet_end < end:
                start = quiet_end
            elif start < quiet_start < end:
                end = min(end, max(start + _MARGIN_S, quiet_start + _MARGIN_S))
        moved.append(replace(word, start=start, end=end))
    return moved


def quietest(samples: NDArray[np.float32]) -> int:
    """Where to cut in two: the quietest 20 ms of the middle half, as a sample index."""
    first, last = len(samples) // 4, 3 * len(samples) // 4
    middle = samples[first:last]
    frames = middle[: len(middle) // _HOP * _HOP].reshape(-1, _HOP)
    return first + int(np.argmin((frames**2).mean(axis=1))) * _HOP + _HOP // 2
