"""From a chunk's seconds to those of what it was cut from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from triscribe.types import ChunkResult, Notice, Segment


@dataclass(frozen=True, slots=True)
class Placed:
    """The result of a chunk with the times of its file, in seconds; `duration` is the chunk's length."""

    result: ChunkResult
    duration: float


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
