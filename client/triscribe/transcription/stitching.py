"""From the results of chunks to those of the file: order, offsets, one transcript."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from triscribe.types import Chunk, ChunkResult, Notice, Segment, Transcript


@dataclass(frozen=True, slots=True)
class Placed:
    """The result of a chunk with the times of its file, in seconds; `duration` is the chunk's length."""

    result: ChunkResult
    duration: float


class InOrder:
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


def stitch(frame: Transcript, results: Sequence[Placed], language: str | None) -> Transcript:
    """Put the results of all chunks, in order, into the file's `frame`.

    Args:
        frame: what is known of the file without them.
        results: of all chunks, in order.
        language: the one that was given; None takes that of most of the speech.
    """
    main, probability = (language, 1.0) if language else _main_language(results)
    return replace(
        frame,
        language=main,
        language_probability=probability,
        model=results[0].result.model if results else frame.model,
        segments=tuple(segment for part in results for segment in part.result.segments),
        warnings=(*frame.warnings, *(notice for part in results for notice in part.result.notices)),
    )


def _main_language(results: Sequence[Placed]) -> tuple[str | None, float]:
    """The language of most of the speech, and how probable it is there."""
    shares: dict[str, float] = {}
    for part in results:
        if part.result.language:
            shares[part.result.language] = shares.get(part.result.language, 0.0) + part.duration
    if not shares:
        return None, 0.0
    main = max(shares, key=shares.__getitem__)
    sure_s = sum(part.duration * part.result.language_probability for part in results if part.result.language == main)
    return main, sure_s / shares[main]


def placed(result: ChunkResult, offset_s: float) -> ChunkResult:
    """The result `offset_s` seconds later: segments, words and notices."""
    return replace(
        result,
        segments=tuple(_segment_later(segment, offset_s) for segment in result.segments),
        notices=tuple(_notice_later(notice, offset_s) for notice in result.notices),
    )


def _segment_later(segment: Segment, offset_s: float) -> Segment:
    words = tuple(replace(word, start=word.start + offset_s, end=word.end + offset_s) for word in segment.words)
    return replace(segment, start=segment.start + offset_s, end=segment.end + offset_s, words=words)


def _notice_later(notice: Notice, offset_s: float) -> Notice:
    start, end = (None if time is None else time + offset_s for time in (notice.start, notice.end))
    return replace(notice, start=start, end=end)
