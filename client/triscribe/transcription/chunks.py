"""One chunk to its final result: asked of Triton, then given what only the client knows. For files and live audio."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from triscribe.language.chinese import in_script
from triscribe.language.switching import Spoken
from triscribe.transcription.journal import Journal
from triscribe.transcription.options import Priority, TranscribeOptions
from triscribe.triton.session import Session
from triscribe.types import Chunk, ChunkResult, Segment


@dataclass(frozen=True)
class ChunkTranscriber:
    """Asks one session for chunks, all with the same options.

    Attributes:
        journal: has the answers of an earlier try, and keeps the new ones.
    """

    session: Session
    options: TranscribeOptions
    journal: Journal | None = None

    async def transcribe(
        self, chunk: Chunk, spoken: Spoken | None, priority: Priority, **overrides: Any
    ) -> ChunkResult:
        """The result of one chunk; times count from its start.

        Args:
            chunk: at most 30 s.
            spoken: its language; None leaves that to the server.
            priority: see `Priority`.
            overrides: further options of docs/contracts.md, for this chunk only.

        Raises:
            ServerError: Triton refused it, or did not answer in time.
        """
        request = self.options.request(language=spoken.language if spoken else None, priority=priority) | overrides
        result = self.journal.get(chunk, request) if self.journal else None
        if result is None:
            result = await self.session.transcribe(chunk, request, timeout_s=self.options.timeout_s)
            if self.journal:
                self.journal.put(chunk, request, result)
        return self._finished(result, spoken)

    def _finished(self, result: ChunkResult, spoken: Spoken | None) -> ChunkResult:
        """With how sure the language is, and Chinese in the script that is wanted."""
        probability = _probability(spoken, result)
        script = self.options.written_script

        def finished(segment: Segment) -> Segment:
            segment = replace(segment, language_probability=probability)
            return in_script(segment, script) if script else segment

        return replace(
            result, language_probability=probability, segments=tuple(finished(part) for part in result.segments)
        )


def _probability(spoken: Spoken | None, result: ChunkResult) -> float:
    """How sure the language of a chunk is: by what was heard in it, where that was asked for."""
    if spoken is None:
        return result.language_probability
    return result.languages.get(spoken.language, 0.0) if spoken.is_guess and result.languages else spoken.probability
