"""A stretch of a stream to its text: quickly while it grows, with the full options once it is complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from triscribe.language.switching import Spoken
from triscribe.transcription.chunks import ChunkTranscriber
from triscribe.transcription.detection import LanguageDetector
from triscribe.types import Chunk, ChunkResult, Samples

_QUICK: dict[str, Any] = {"beam_size": 1, "temperature": [0.0], "word_timestamps": True, "retry_within_s": 0.0}
"""Decoding of what is not final; its words are timed, since the cuts are made by their times."""

_FINAL: dict[str, Any] = {"retry_within_s": 0.7}
"""Somebody waits: a doubtful text is asked for again only while that takes no time worth speaking of."""

Quality = Literal["quick", "ahead", "final"]


class Recognize(Protocol):
    """Transcribes a stretch of the stream."""

    async def __call__(self, samples: Samples, *, quality: Quality, language: str | None) -> ChunkResult:
        """The text of at most 30 s; times count from its start.

        Args:
            samples: float32 at 16 kHz, shape `(n_samples,)`.
            quality: "quick" for interims; "final" with the full options; "ahead" the same for a final that may not be
                needed, given up at once where the server is busy.
            language: code; None detects it.
        """


@dataclass(frozen=True)
class StretchTranscriber:
    """The `Recognize` that asks Triton.

    Attributes:
        quick: over a session that never retries: a late interim, or a final ahead of its time, is worth nothing.
        final: over one that waits out a full queue or a restart.
    """

    quick: ChunkTranscriber
    final: ChunkTranscriber

    async def __call__(self, samples: Samples, *, quality: Quality, language: str | None) -> ChunkResult:
        """See `Recognize`."""
        transcriber = self.final if quality == "final" else self.quick
        overrides = _QUICK if quality == "quick" else _FINAL
        chunk = Chunk(0, 0.0, samples)
        spoken = Spoken(language, 1.0) if language else await _found(chunk, transcriber)
        return await transcriber.transcribe(chunk, spoken, "interactive", **overrides)


async def _found(chunk: Chunk, transcriber: ChunkTranscriber) -> Spoken | None:
    """The most probable of the allowed languages; None leaves it to the server, where all are."""
    if not transcriber.options.languages:
        return None
    (found,) = await LanguageDetector(transcriber.session, transcriber.options).detect([chunk])
    best = max(found, key=found.__getitem__)
    return Spoken(best, found[best])
