"""What the pipeline works on: one chunk, and the models it may ask."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .checkpoint import Checkpoint, Prompt
from .features import SAMPLE_RATE, bucket_frames
from .options import Options

Samples = NDArray[np.float32]


class Whisper(Protocol):
    """One turn of a whisper model: queued, executed, its RESULT opened."""

    async def __call__(self, features: NDArray[np.float32], options: dict[str, Any]) -> dict[str, Any]:
        """Decode `features` (n_mels, frames); returns the `ok` of docs/contracts.md."""


class Align(Protocol):
    """The `align` model."""

    async def __call__(self, samples: Samples, words: Sequence[str], language: str) -> list[dict[str, Any]]:
        """Time the words; returns one {"start", "end", "probability", "timing"} for each."""


@dataclass(frozen=True)
class Context:
    """The encoder lengths in use. The choice is measured in docs/benchmarks.md."""

    buckets_s: tuple[float, ...] = (10.0, 15.0, 20.0, 25.0, 30.0)
    margin_s: float = 0.5
    other_floor_s: float = 15.0
    """Shortest context for a language that is given and not English: the short Mandarin recordings lose one
    character in a context of 10 s and none from 15 s on."""

    def frames(self, samples: int, language: str | None) -> int:
        """Length of the context of a chunk, in frames."""
        floor_s = 0.0 if language in (None, "en") else self.other_floor_s
        buckets_s = tuple(bucket for bucket in self.buckets_s if bucket >= floor_s) or self.buckets_s[-1:]
        return bucket_frames(samples, buckets_s, self.margin_s)


@dataclass(frozen=True)
class Job:
    """One chunk on its way; `samples` is float32 at 16 kHz, shape (n,)."""

    samples: Samples
    options: Options
    prompt: Prompt
    checkpoint: Checkpoint
    started: float = field(default_factory=time.monotonic)

    def may_retry(self) -> bool:
        """Whether there is time to ask for the text once more."""
        within_s = self.options.retry_within_s
        return within_s is None or time.monotonic() - self.started < within_s

    @property
    def duration_s(self) -> float:
        """Length of the audio."""
        return len(self.samples) / SAMPLE_RATE
