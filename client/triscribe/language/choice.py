"""Which language each chunk of a recording is sent with: the given one, one for the whole, or the one spoken there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np

from triscribe.language import switching
from triscribe.language.switching import Spoken
from triscribe.speech import chunking
from triscribe.speech.chunking import ChunkingOptions
from triscribe.speech.chunks import Speech
from triscribe.speech.threads import in_speech_thread
from triscribe.types import Chunk

PROBED_CHUNKS = 3
"""Chunks that decide on the language of a file."""

MORE_CHUNKS = 8
"""Chunks that decide where the first ones leave it open, or hold more music than speech."""

_SURE = 0.5
"""Less than that leaves it open."""

SpokenChunk = tuple[Chunk, Spoken | None]
"""A chunk and its language; None leaves that to the server."""


def _voice(chunk: Chunk) -> Chunk:
    """The speech of a chunk: music says nothing about the language."""
    if chunk.sure is None:
        return chunk
    parts = [chunk.samples[span.start : span.end] for span in chunk.sure]
    return replace(chunk, samples=np.concatenate(parts) if parts else chunk.samples[:0], sure=None)


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
        probed = await in_speech_thread(lambda: list(islice(first, MORE_CHUNKS)))
        if not probed or (len(probed) == 1 and not self.allowed):
            return ((chunk, None) for chunk in probed)
        found = await self._found(probed, detector)
        return ((chunk, found) for chunk in speech.chunks(self._options(found.language)))

    async def _found(self, probed: Sequence[Chunk], detector: Detector) -> Spoken:
        """The language of most of the first speech, of more of it where that leaves it open."""
        voices = [voice for voice in map(_voice, probed) if len(voice.samples)] or list(probed)
        detected: list[dict[str, float]] = []
        for number in (PROBED_CHUNKS, len(voices)):
            detected += await detector.detect(voices[len(detected) : number])
            mean = switching.mix(detected, [voice.duration for voice in voices[: len(detected)]])
            best = max(mean, key=mean.__getitem__)
            if mean[best] >= _SURE:
                break
        return Spoken(best, mean[best], is_guess=True)

    async def _by_language(self, speech: Speech, detector: Detector) -> list[SpokenChunk]:
        windows = await in_speech_thread(lambda: list(speech.chunks(switching.WINDOWS)))
        spoken = switching.settle(await detector.detect(windows), [window.duration for window in windows])
        options = self.chunking or chunking.DEFAULT_OPTIONS
        parts = await in_speech_thread(switching.chunks_by_language, speech.samples, windows, spoken, options)
        return list(zip(*parts, strict=True))

    def _options(self, language: str | None) -> ChunkingOptions:
        return self.chunking or chunking.options_for(language)
