"""From the results of chunks to those of the file: order, offsets, one transcript."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from triscribe.types import AudioInfo, Chunk, ChunkResult, Segment, Transcript

SegmentSink = Callable[[Sequence[Segment]], None]
"""Called with segments that will not change, in order and in the file's seconds, as soon as they are known."""


class InOrder:
    """Passes the segments of chunks on as soon as those of all earlier chunks are there."""

    def __init__(self, sink: SegmentSink | None) -> None:
        self._sink = sink
        self._early: dict[int, tuple[Chunk, ChunkResult]] = {}
        self._next = 0

    def add(self, chunk: Chunk, result: ChunkResult) -> None:
        """Keep the result of a chunk, and pass on what is now complete."""
        if self._sink is None:
            return
        self._early[chunk.index] = (chunk, result)
        while ready := self._early.pop(self._next, None):
            self._next += 1
            self._sink([moved(segment, ready[0].start) for segment in ready[1].segments])


def stitch(info: AudioInfo, chunks: Sequence[Chunk], results: Sequence[ChunkResult], frame: Transcript) -> Transcript:
    """Put the chunks' results, with chunk-relative times, into the file's `frame`."""
    segments: list[Segment] = []
    notices = list(frame.warnings)
    for chunk, result in zip(chunks, results, strict=True):
        segments += [moved(segment, chunk.start) for segment in result.segments]
        for notice in result.notices:
            start, end = (None if t is None else t + chunk.start for t in (notice.start, notice.end))
            notices.append(replace(notice, start=start, end=end))
    model = results[0].model if results else frame.model
    return replace(frame, audio=info, model=model, segments=tuple(segments), warnings=tuple(notices))


def moved(segment: Segment, offset_s: float) -> Segment:
    """The segment `offset_s` seconds later, words included."""
    words = tuple(replace(word, start=word.start + offset_s, end=word.end + offset_s) for word in segment.words)
    return replace(segment, start=segment.start + offset_s, end=segment.end + offset_s, words=words)
