"""Speakers for a recording: who finds them, and what the transcript says when nobody can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from triscribe.diarization.assign import assign
from triscribe.diarization.client import Diarizer
from triscribe.diarization.known import KnownSpeaker, appended, named, widened
from triscribe.diarization.options import Diarization, DiarizationOptions
from triscribe.errors import DiarizationError
from triscribe.types import SAMPLE_RATE, Notice, Samples, Transcript

DIARIZATION_FAILED = "diarization_failed"
"""Code of the warning that stands in for the speakers."""


@dataclass(frozen=True)
class SpeakerSearch:
    """Who finds the speakers, and what is known about them; those in `known` are named."""

    diarizer: Diarizer
    options: DiarizationOptions
    known: tuple[KnownSpeaker, ...] = ()

    async def find(
        self, samples: Samples, progress: Callable[[float], None] | None = None
    ) -> Diarization | DiarizationError:
        """The turns, or why there are none: the text is worth having without them."""
        try:
            if not self.known:
                return await self.diarizer.diarize(samples, self.options, progress=progress)
            whole, options = appended(samples, self.known), widened(self.options, len(self.known))
            found = await self.diarizer.diarize(whole, options, progress=progress)
            return named(found, len(samples) / SAMPLE_RATE, self.known)
        except DiarizationError as error:
            return error


def with_speakers(
    transcript: Transcript, diarization: Diarization | DiarizationError, wanted: DiarizationOptions
) -> Transcript:
    """The transcript with a speaker for every word, or with a warning in their place; and one for a wish not met."""
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
        warnings=(*transcript.warnings, *_unmet(len(diarization.speakers), wanted)),
    )


def _unmet(found: int, wanted: DiarizationOptions) -> tuple[Notice, ...]:
    """A notice where there are fewer, or more, speakers than were asked for."""
    least = wanted.num_speakers or wanted.min_speakers or 0
    most = wanted.num_speakers or wanted.max_speakers or found
    if least <= found <= most:
        return ()
    asked = "exactly" if wanted.num_speakers else "at least" if found < least else "at most"
    message = (
        f"{found} speaker{'s' * (found != 1)} found, where {asked} {least if found < least else most} were asked for"
    )
    return (Notice("speaker_count", message),)
