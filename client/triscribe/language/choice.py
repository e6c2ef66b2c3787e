"""Which language each chunk of a recording is sent with: the given one, one for the whole, or the one spoken there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from triscribe.language import switching
from triscribe.language.switching import Spoken
from triscribe.speech import chunking
from triscribe.speech.chunking import ChunkingOptions
from triscribe.speech.chunks import Speech
from triscribe.types import Chunk, ChunkResult

PROBED_CHUNKS = 3
"""Chunks that decide on the language of a file."""

Detect = Callable[[Sequence[Chunk]], Awaitable[list[dict[str, float]]]]
"""The probability of each language in each chunk."""

Heard = tuple[Chunk, Spoken | None]
"""A chunk and its language; None leaves that to the server."""


@dataclass(frozen=True)
class LanguageChoice:
    """What is known before a recording is heard.

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

    async def hear(self, speech: Speech, detect: Detect) -> Iterator[Heard]:
        """The chunks to be sent; taking one may take the time of finding it."""
        if self.multi:
            return iter(await self._by_language(speech, detect))
        if self.given:
            given = Spoken(self.given, 1.0)
            return ((chunk, given) for chunk in speech.chunks(self._options(self.given)))
        first = speech.chunks(self._options(None))
        probed = await asyncio.to_thread(lambda: list(islice(first, PROBED_CHUNKS)))
        if not probed or (len(probed) == 1 and not self.allowed):
            return ((chunk, None) for chunk in probed)
        mean = switching.mix(await detect(probed), [chunk.duration for chunk in probed])
        best = max(mean, key=mean.__getitem__)
        found = Spoken(best, mean[best])
        return ((chunk, found) for chunk in speech.chunks(self._options(best)))

    async def _by_language(self, speech: Speech, detect: Detect) -> list[Heard]:
        windows = await asyncio.to_thread(lambda: list(speech.chunks(switching.WINDOWS)))
        heard = switching.settle(await detect(windows), [window.duration for window in windows])
        options = self.chunking or chunking.DEFAULT_OPTIONS
        parts = await asyncio.to_thread(switching.chunks_by_language, speech.samples, windows, heard, options)
        return list(zip(*parts, strict=True))

    def _options(self, language: str | None) -> ChunkingOptions:
        return self.chunking or chunking.options_for(language)

    def main(self, chunks: Sequence[Chunk], results: Sequence[ChunkResult]) -> tuple[str | None, float]:
        """The language of most of the speech, and how probable it is there."""
        if self.given:
            return self.given, 1.0
        shares: dict[str, float] = {}
        for chunk, result in zip(chunks, results, strict=True):
            if result.language:
                shares[result.language] = shares.get(result.language, 0.0) + chunk.duration
        if not shares:
            return None, 0.0
        main = max(shares, key=shares.__getitem__)
        sure_s = sum(
            chunk.duration * result.language_probability
            for chunk, result in zip(chunks, results, strict=True)
            if result.language == main
        )
        return main, sure_s / shares[main]
