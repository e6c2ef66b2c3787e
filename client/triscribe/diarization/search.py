"""Speakers for a recording: who finds them, and what the transcript says when nobody can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from triscribe.diarization.assign import assign
from triscribe.diarization.client import Diarizer
from triscribe.diarization.options import Diarization, DiarizationOptions
from triscribe.errors import DiarizationError
from triscribe.types import Notice, Samples, Transcript

DIARIZATION_FAILED = "diarization_failed"
"""Code of the warning that stands in for the speakers."""


@dataclass(frozen=True)
class SpeakerSearch:
    """Who finds the speakers, and what is known about them."""

    diarizer: Diarizer
    options: DiarizationOptions

    async def find(
        self, samples: Samples, progress: Callable[[float], None] | None = None
    ) -> Diarization | DiarizationError:
        """The turns, or why there are none: the text is worth having without them."""
        try:
            return await self.diarizer.diarize(samples, self.options, progress=progress)
        except DiarizationError as error:
            return error


def with_speakers(transcript: Transcript, diarization: Diarization | DiarizationError) -> Transcript:
    """The transcript with a speaker for every word, or with a warning in their place."""
    if isinstance(diarization, DiarizationError):
        notice = Notice(DIARIZATION_FAILED, f"no speakers: {diarization}")
        return replace(transcript, warnings=(*transcript.warnings, notice))
    return replace(
        transcript,
        segments=assign(transcript.segments, diarization),
        speakers=diarization.speakers,
        turns=diarization.turns,
        overlaps=diarization.overlaps,
        embeddings=diarization.embeddings,
    )
