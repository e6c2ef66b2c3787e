"""Which language a chunk is in, asked of Triton."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from triscribe.language import switching
from triscribe.language.choice import PROBED_CHUNKS
from triscribe.tasks import all_of
from triscribe.transcription.options import TranscribeOptions
from triscribe.triton.session import Session
from triscribe.types import Chunk


@dataclass(frozen=True)
class LanguageDetector:
    """Asks one session, with the options of the recording."""

    session: Session
    options: TranscribeOptions

    async def detect(self, chunks: Sequence[Chunk]) -> list[dict[str, float]]:
        """The probability of each allowed language in each chunk."""
        request = self.options.request(language=None, priority="bulk" if len(chunks) > PROBED_CHUNKS else "interactive")

        async def one(chunk: Chunk) -> dict[str, float]:
            found = await self.session.detect_language(chunk.samples, request, timeout_s=self.options.timeout_s)
            return switching.among(found, self.options.languages)

        return await all_of(partial(one, chunk) for chunk in chunks)
