"""Which language each chunk of a recording is sent with: the given one, one for the whole, or the one spoken there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from triscribe.language import switching
from triscribe.language.switching import Spoken
from triscribe.speech import chunking
from triscribe.speech.chunking import ChunkingOptions
from triscribe.speech.chunks import Speech
from triscribe.speech.threads import in_speech_thread
from triscribe.types import Chunk

PROBED_CHUNKS = 3
"""Chunks that decide on the language of a file."""

SpokenChunk = tuple[Chunk, Spoken | None]
"""A chunk and its language; None leaves that to the server."""


class Detector(Protocol):
    """Who detects languages."""

    async def detect(self, chunks: Sequence[Chunk]) -> list[dict[str, float]]:
        """The probability of each language in each chunk."""


@dataclass(frozen=True)
class LanguageChoice:
    """What is known of the languages before a recording is worked on.

    Attributes:
        given: the code of its one language; None where that has to be detected.
        multi: it may change within the recording.
        allowed: codes to choose from; empty: all that the checkpoint knows.
        chunking: how it is cut; None leaves that to the language.
    """

    given: str | None
    multi: bool = False
    allowed: Sequence[str] = ()
    chunking: ChunkingOptions | None = None

    async def chunks(self, speech: Speech, detector: Detector) -> Iterator[SpokenChunk]:
        """Yields chunks lazily with their languages; each `next()` may run voice detection: call it in a thread."""
        if self.multi:
            return iter(await self._by_language(speech, detector))
        if self.given:
            given = Spoken(self.given, 1.0)
            return ((chunk, given) for chunk in speech.chunks(self._options(self.given)))
        first = speech.chunks(self._options(None))
        probed = await in_speech_thread(lambda: list(islice(first, PROBED_CHUNKS)))
        if not probed or (len(probed) == 1 and not self.allowed):
            return ((chunk, None) for chunk in probed)
        mean = switching.mix(await detector.detect(probed), [chunk.duration for chunk in probed])
        best = max(mean, key=mean.__getitem__)
        found = Spoken(best, mean[best])
        return ((chunk, found) for chunk in speech.chunks(self._options(best)))

    async def _by_language(self, speech: Speech, detector: Detector) -> list[SpokenChunk]:
        windows = await in_speech_thread(lambda: list(speech.chunks(switching.WINDOWS)))
        spoken = switching.settle(await detector.detect(windows), [window.duration for window in windows])
        options = self.chunking or chunking.DEFAULT_OPTIONS
        parts = await in_speech_thread(switching.chunks_by_language, speech.samples, windows, spoken, options)
        return list(zip(*parts, strict=True))

    def _options(self, language: str | None) -> ChunkingOptions:
        return self.chunking or chunking.options_for(language)
