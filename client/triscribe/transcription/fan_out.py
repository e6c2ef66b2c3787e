"""All chunks of a recording at once: each is sent while the next ones are still being found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from triscribe.language.choice import SpokenChunk
from triscribe.language.switching import Spoken
from triscribe.speech.threads import in_speech_thread
from triscribe.tasks import first_error
from triscribe.transcription.events import Event, FinalSegments, TextProgress
from triscribe.transcription.options import Priority
from triscribe.transcription.placing import Placed, placed
from triscribe.transcription.revising import Answered, First, Reviser
from triscribe.types import Chunk

INTERACTIVE_S = 60.0
"""Recordings up to this long go before longer ones, as what `Recognize` takes: somebody waits for the answer."""


def priority_of(total_s: float) -> Priority:
    """The lane of a recording of so many seconds."""
    return "bulk" if total_s > INTERACTIVE_S else "interactive"


async def transcribe_chunks(
    chunks: Iterator[SpokenChunk], total_s: float, reviser: Reviser, emit: Callable[[Event], None]
) -> list[Placed]:
    """The results of all chunks, in order.

    Args:
        chunks: with their languages; `next()` is called in a thread.
        total_s: length of the recording, in seconds.
        reviser: asks for each of them.
        emit: gets `TextProgress` after every chunk, and `FinalSegments` as soon as all before them are known. From the
            first chunk on whose language is in doubt, nothing is final before all were heard.

    Raises:
        ServerError: a chunk could not be transcribed; the others are given up.
    """
    firsts, done_s = _Firsts(), 0.0
    results: list[Placed] = []

    def keep(answered: Answered) -> None:
        parts = [Placed(placed(result, part.start), part.duration) for part, result in answered]
        results.extend(parts)
        emit(FinalSegments(tuple(segment for part in parts for segment in part.result.segments)))

    async def one(chunk: Chunk, spoken: Spoken | None, share_s: float) -> None:
        nonlocal done_s
        first = await reviser.first(chunk, spoken)
        if first.answered is not None:
            done_s += share_s
            emit(TextProgress(done_s, total_s))
        for answered in firsts.add(first):
            keep(answered)

    end_s = 0.0
    async with first_error(), asyncio.TaskGroup() as group:
        while following := await in_speech_thread(next, chunks, None):
            chunk, spoken = following
            group.create_task(one(chunk, spoken, chunk.end - end_s))  # the pause before a chunk is done with it
            end_s = chunk.end
    known = firsts.all()
    revised = await reviser.revise(known, firsts.final)
    for number, first in enumerate(known[firsts.final :], firsts.final):
        keep(revised.get(number) or first.answered or [])
    emit(TextProgress(total_s, total_s))
    return results


class _Firsts:
    """The first answers of chunks, in order; one is final once the next one is known, and neither is in doubt.

    Attributes:
        final: how many were given away.
    """

    def __init__(self) -> None:
        self._known: dict[int, First] = {}
        self.final = 0

    def all(self) -> list[First]:
        """Those of all chunks, once there are no more."""
        return [self._known[number] for number in sorted(self._known)]

    def add(self, first: First) -> Iterator[Answered]:
        """Keep an answer; yields those that are now final."""
        self._known[first.chunk.index] = first
        while (this := self._stands(self.final)) is not None and self._stands(self.final + 1) is not None:
            self.final += 1
            yield this

    def _stands(self, number: int) -> Answered | None:
        known = self._known.get(number)
        return known.answered if known else None
