"""All chunks of a recording at once: each is sent while the next ones are still being found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from triscribe.language.choice import SpokenChunk
from triscribe.language.switching import Spoken
from triscribe.speech.threads import in_speech_thread
from triscribe.tasks import first_error
from triscribe.transcription.chunks import ChunkTranscriber
from triscribe.transcription.events import Event, FinalSegments, TextProgress
from triscribe.transcription.options import Priority
from triscribe.transcription.placing import Placed, placed
from triscribe.types import Chunk, ChunkResult

INTERACTIVE_S = 60.0
"""Recordings up to this long go before longer ones, as what `Recognize` takes: somebody waits for the answer."""


async def transcribe_chunks(
    chunks: Iterator[SpokenChunk], total_s: float, transcriber: ChunkTranscriber, emit: Callable[[Event], None]
) -> list[Placed]:
    """The results of all chunks, in order.

    Args:
        chunks: with their languages; `next()` is called in a thread.
        total_s: length of the recording, in seconds.
        transcriber: asks for each of them.
        emit: gets `TextProgress` after every chunk, and `FinalSegments` as soon as all before them are known.

    Raises:
        ServerError: a chunk could not be transcribed; the others are given up.
    """
    priority: Priority = "bulk" if total_s > INTERACTIVE_S else "interactive"
    in_order, done_s = _InOrder(), 0.0
    results: list[Placed] = []

    async def one(chunk: Chunk, spoken: Spoken | None, share_s: float) -> None:
        nonlocal done_s
        result = await transcriber.transcribe(chunk, spoken, priority)
        done_s += share_s
        emit(TextProgress(done_s, total_s))
        for part in in_order.add(chunk, result):
            results.append(part)
            emit(FinalSegments(part.result.segments))

    end_s = 0.0
    async with first_error(), asyncio.TaskGroup() as group:
        while following := await in_speech_thread(next, chunks, None):
            chunk, spoken = following
            group.create_task(one(chunk, spoken, chunk.end - end_s))  # the pause before a chunk is done with it
            end_s = chunk.end
    emit(TextProgress(total_s, total_s))
    return results


class _InOrder:
    """Gives the results of chunks away in the order of the file, each once all earlier ones are there."""

    def __init__(self) -> None:
        self._early: dict[int, Placed] = {}
        self._next = 0

    def add(self, chunk: Chunk, result: ChunkResult) -> Iterator[Placed]:
        """Keep the result of a chunk; yields what is now complete."""
        self._early[chunk.index] = Placed(placed(result, chunk.start), chunk.duration)
        while ready := self._early.pop(self._next, None):
            self._next += 1
            yield ready
