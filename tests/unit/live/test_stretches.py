"""What is asked of Triton for a stretch of live audio."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from triscribe.live.stretches import StretchTranscriber
from triscribe.transcription.chunks import ChunkTranscriber
from triscribe.transcription.options import TranscribeOptions
from triscribe.types import SAMPLE_RATE, ChunkResult


class Triton:
    """Hears mostly English."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    async def detect_language(self, samples, options, *, timeout_s):
        self.asked.append("detection")
        return {"en": 0.8, "de": 0.15, "fr": 0.05}

    async def transcribe(self, chunk, options, *, timeout_s):
        self.asked.append(options["language"])
        return ChunkResult(0, "base", options["language"] or "en", 0.8, ())


@pytest.mark.parametrize(
    ("allowed", "known", "asked", "probability"),
    [
        ((), None, [None], 0.8),  # the server detects beside the text
        (("de", "fr"), None, ["detection", "de"], 0.75),
        (("fr", "en"), None, ["detection", "en"], 0.8 / 0.85),
        (("de", "fr"), "fr", ["fr"], 1.0),  # the first words have settled it
    ],
)
@pytest.mark.parametrize("quality", ["quick", "final"])
async def test_the_language_is_the_most_probable_of_those_allowed(allowed, known, asked, probability, quality):
    triton: Any = Triton()
    transcriber = ChunkTranscriber(triton, TranscribeOptions(languages=allowed))
    recognize = StretchTranscriber(transcriber, transcriber)
    result = await recognize(np.zeros(SAMPLE_RATE, np.float32), quality=quality, language=known)
    assert triton.asked == asked
    assert result.language_probability == pytest.approx(probability)
