"""What the audio itself says: where it is loud, and where somebody speaks. The only module that runs Silero here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from faster_whisper.vad import get_vad_model
from numpy.typing import NDArray

from .features import SAMPLE_RATE

FRAMES_PER_SECOND: Final = 50
_HOP: Final = SAMPLE_RATE // FRAMES_PER_SECOND
_VAD_WINDOW: Final = 512
"""Samples for one probability of Silero (32 ms)."""

_LOUD_SHARE: Final = 0.1
"""A frame within 20 dB of the loud ones is a sound of its own, not the room behind it."""

_MARGIN_S: Final = 0.15
"""Sound this near to a word belongs to it."""

Frames = NDArray[np.bool_]
"""One value for each 20 ms of a chunk."""
Spans = Iterable[tuple[float, float]]
"""(start, end) in seconds."""


def loud(samples: NDArray[np.float32]) -> Frames:
    """Where there is sound; samples of shape (n,) at 16 kHz."""
    frames = samples[: len(samples) // _HOP * _HOP].reshape(-1, _HOP)
    if not len(frames):
        return np.zeros(0, np.bool_)
    levels = np.sqrt(np.einsum("ij,ij->i", frames, frames) / _HOP)
    return np.asarray(levels > _LOUD_SHARE * np.percentile(levels, 95), np.bool_)


def voice(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability of speech for each frame of `loud`; some 50 ms of work for 30 s of audio."""
    probabilities = get_vad_model()(np.pad(samples, (0, -len(samples) % _VAD_WINDOW))).ravel()
    starts = np.arange(len(samples) // _HOP) * _HOP
    return np.asarray(probabilities[starts // _VAD_WINDOW], np.float32)


def covered(spans: Spans, frames: int) -> Frames:
    """The frames that the spans and their margins take."""
    mask = np.zeros(frames, np.bool_)
    for start, end in spans:
        first, last = ((start - _MARGIN_S) * FRAMES_PER_SECOND, (end + _MARGIN_S) * FRAMES_PER_SECOND)
        mask[max(0, int(first)) : int(last) + 1] = True
    return mask


def within(mask: Frames, spans: Spans) -> Frames:
    """The values of `mask` inside the spans, one after the other."""
    parts = [mask[int(start * FRAMES_PER_SECOND) : int(end * FRAMES_PER_SECOND) + 1] for start, end in spans]
    return np.concatenate(parts) if parts else mask[:0]


def seconds(mask: Frames) -> float:
    """How long the mask holds in all."""
    return float(mask.sum()) / FRAMES_PER_SECOND


def stretches(mask: Frames, *, bridge_s: float = 0.3) -> list[tuple[float, float]]:
    """(start, end) in seconds of where the mask holds, over gaps up to `bridge_s`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))).reshape(-1, 2)
    found: list[tuple[float, float]] = []
    for start, end in (edges / FRAMES_PER_SECOND).tolist():
        if found and start - found[-1][1] <= bridge_s:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found
