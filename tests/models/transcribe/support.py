"""A whisper that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triscribe.types import SAMPLE_RATE
from triscribe_transcribe.checkpoint import Checkpoint
from triscribe_transcribe.job import Context, Job
from triscribe_transcribe.options import Options
from triscribe_transcribe.pipeline import Pipeline
from triscribe_transcribe.quality import Verdict
from triscribe_transcribe.result import Result

Script = Callable[[dict[str, Any], int], dict[str, Any]]
"""(options of the call, frames) -> what differs from a good answer."""


def noise(seconds: float) -> NDArray[np.float32]:
    """Loud enough not to be taken for silence."""
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)


@dataclass
class FakeWhisper:
    """Answers every call with `text`, changed by `script`; `calls` has (frames, options) of each."""

    checkpoint: Checkpoint
    text: str = " Hello there."
    script: Script = lambda options, frames: {}
    calls: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    async def __call__(self, features: NDArray[np.float32], options: dict[str, Any]) -> dict[str, Any]:
        frames = features.shape[1]
        self.calls.append((frames, options))
        changes = dict(self.script(options, frames))
        text = changes.pop("text", self.text)
        tokens = list(options.get("text_tokens") or self.checkpoint.text_tokenizer("en").encode(text))
        # As long as asked for, one token after the other.
        starts = [round(0.1 * n, 3) for n in range(len(tokens) + 1)] if options["attention"] else []
        return {
            "tokens": tokens,
            "avg_logprob": -0.3,
            "no_speech_prob": 0.01,
            "language": options["language"] or "en",
            "language_probability": 0.9,
            "languages": {"en": 0.9, "de": 0.1},
            "limit_reached": False,
            "token_starts": starts,
            "token_probs": [0.5] * len(tokens) if options["attention"] else [],
            **changes,
        }


@dataclass
class Bench:
    """A pipeline around a fake whisper, and around a fake aligner for the languages given."""

    whisper: FakeWhisper
    aligner_languages: frozenset[str] = frozenset()
    align: Any = None
    retries: list[Verdict] = field(default_factory=list)

    async def run(self, samples: NDArray[np.float32], hotwords: str | None = None, **options: Any) -> Result:
        checkpoint = self.whisper.checkpoint
        parsed = Options(**options)
        with ThreadPoolExecutor(1) as pool:
            pipeline = Pipeline(
                whisper=self.whisper,
                align=self.align,
                aligner_languages=self.aligner_languages,
                pool=pool,
                context=Context(),
                on_retry=self.retries.append,
            )
            return await pipeline.run(Job(samples, parsed, checkpoint.prompt(None, hotwords), checkpoint))
