"""Cutting a file into the stretches that are sent as one request each.

A chunk is a contiguous stretch of the file, so times inside it are plain offsets. Cuts fall between spans of speech;
only a span longer than a request may be is cut inside, at its quietest point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triscribe.errors import UsageError
from triscribe.types import MAX_CHUNK_S, SAMPLE_RATE, Chunk, Samples, Span

_FRAME = SAMPLE_RATE // 100
"""Samples for one value of short-time energy (10 ms)."""

_SMOOTHING_FRAMES = 20
"""Energy is averaged over 200 ms, longer than the closure of a stop consonant: a minimum is a pause between words."""

_SEARCH_SHARE = 1 / 3
"""A long span is cut in this last part of the longest chunk, or from `target_s` on where that is earlier."""

_SHORTEST_REST_S = 1.0
"""No cut leaves less of a span than this: Whisper makes words up on crumbs."""

_SHORT_END_S = 5.0
"""A pause nearer to the end of a stretch than this is left alone while there is another."""


@dataclass(frozen=True, slots=True)
class ChunkingOptions:
    """How long chunks become, in seconds.

    Attributes:
        target_s: spans are joined up to this length, silence between them included. Of 9 to 29 s, 14 s made the fewest
            errors on joined English recordings (docs/benchmarks.md).
        max_s: no chunk is longer; at most 30, Whisper's context.
        max_gap_s: spans with a longer silence between them are not joined.
        packing: "pauses" parts spans first where the speaker paused longest; "full" fills each chunk before the next.
    """

    target_s: float = 14.0
    max_s: float = MAX_CHUNK_S
    max_gap_s: float = 2.0
    packing: Literal["pauses", "full"] = "full"

    def __post_init__(self) -> None:
        if not 2 * _SHORTEST_REST_S < self.max_s <= MAX_CHUNK_S:
            raise UsageError(f"max_s must be more than {2 * _SHORTEST_REST_S:g} and at most {MAX_CHUNK_S:g} seconds")
        if not 0 < self.target_s <= self.max_s:
            raise UsageError("target_s must be more than 0 and at most max_s")
        if self.max_gap_s < 0:
            raise UsageError("max_gap_s may not be negative")


DEFAULT_OPTIONS = ChunkingOptions()

LONG_CONTEXT = ChunkingOptions(target_s=29.0)
"""For languages of which Whisper knows less speech than English: what it is unsure of, it gets from the context. On the
German and Spanish recordings the errors fell from 15.7 to 13.9 and from 13.1 to 10.1 % (docs/benchmarks.md)."""


def options_for(language: str | None) -> ChunkingOptions:
    """How a recording in this language is cut unless the caller says."""
    return DEFAULT_OPTIONS if language in (None, "en") else LONG_CONTEXT


def cut(samples: Samples, spans: Iterable[Span] | None, options: ChunkingOptions = DEFAULT_OPTIONS) -> list[Chunk]:
    """Cuts a file into chunks.

    Args:
        samples: mono audio at 16 kHz, shape `(n_samples,)`. Chunks are views into it.
        spans: where there is speech; None takes the whole file, so that every sample is in a chunk.
        options: lengths.

    Returns:
        Chunks in order that do not overlap. Every sample of every span is in one of them.
    """
    return list(cut_as_found(samples, [Span(0, len(samples))] if spans is None else sorted(spans), options))


def cut_as_found(
    samples: Samples, spans: Iterable[Span], options: ChunkingOptions = DEFAULT_OPTIONS
) -> Iterator[Chunk]:
    """The chunks of `cut`, each as soon as enough spans, which come in order, are known."""
    longest, target = int(options.max_s * SAMPLE_RATE), int(options.target_s * SAMPLE_RATE)
    pieces = (piece for span in _normalised(spans, len(samples)) for piece in _split(samples, span, longest, target))
    for index, (start, end) in enumerate(_PACKINGS[options.packing](pieces, options)):
        yield Chunk(index, start / SAMPLE_RATE, samples[start:end])


def _normalised(spans: Iterable[Span], length: int) -> Iterator[Span]:
    """Ordered spans inside the file, without overlaps and empty ones."""
    last: Span | None = None
    for start, end in (Span(max(0, span.start), min(span.end, length)) for span in spans):
        if end <= start:
            continue
        if last and start < last.end:
            last = Span(last.start, max(end, last.end))
            continue
        if last:
            yield last
        last = Span(start, end)
    if last:
        yield last


def _split(samples: Samples, span: Span, longest: int, target: int) -> list[Span]:
    """The span in pieces of at most `longest` samples, cut where it is quietest."""
    pieces = []
    start = span.start
    rest = int(_SHORTEST_REST_S * SAMPLE_RATE)
    earliest = max(rest, min(target, int(longest * (1 - _SEARCH_SHARE))))
    while span.end - start > longest:
        latest = min(start + longest, span.end - rest)
        cut_at = quietest(samples, start + earliest, latest)
        pieces.append(Span(start, cut_at))
        start = cut_at
    pieces.append(Span(start, span.end))
    return pieces


def quietest(samples: Samples, start: int, end: int) -> int:
    """The quietest point of `samples[start:end]`, in samples.

    It is the middle of the 200 ms with the least energy; in a stretch of digital silence, the middle of that.
    """
    frames = (end - start) // _FRAME
    if frames <= _SMOOTHING_FRAMES:
        return (start + end) // 2
    window = samples[start : start + frames * _FRAME].reshape(frames, _FRAME)
    energy: NDArray[np.float64] = np.einsum("ij,ij->i", window, window, dtype=np.float64)
    total = np.concatenate([[0.0], np.cumsum(energy)])
    smoothed = total[_SMOOTHING_FRAMES:] - total[:-_SMOOTHING_FRAMES]
    # Differences of a running sum are exact only to its last digits: silence comes out as not quite zero.
    lowest = np.flatnonzero(smoothed <= smoothed.min() + 1e-9 * total[-1])
    runs = np.split(lowest, np.flatnonzero(np.diff(lowest) > 1) + 1)
    longest = max(runs, key=len)
    middle = int(longest[0] + longest[-1] + _SMOOTHING_FRAMES) / 2
    return start + int(middle * _FRAME)


def _joined(pieces: Iterable[Span], options: ChunkingOptions) -> Iterator[Span]:
    """The pieces put together into chunks, parted first where the speaker paused longest."""
    together: list[Span] = []
    for piece in pieces:
        if together and piece.start - together[-1].end > options.max_gap_s * SAMPLE_RATE:
            yield from _parted(together, int(options.target_s * SAMPLE_RATE))
            together = []
        together.append(piece)
    if together:
        yield from _parted(together, int(options.target_s * SAMPLE_RATE))


def _parted(pieces: list[Span], target: int) -> Iterator[Span]:
    """Neighbouring pieces as chunks of at most `target` samples."""
    starts, ends = np.array([piece.start for piece in pieces]), np.array([piece.end for piece in pieces])
    waiting = [(0, len(pieces) - 1)]
    while waiting:
        first, last = waiting.pop()
        if first == last or ends[last] - starts[first] <= target:
            yield Span(int(starts[first]), int(ends[last]))
            continue
        cut_after = first + _best_break(starts[first : last + 1], ends[first : last + 1])
        waiting += [(cut_after + 1, last), (first, cut_after)]


def _filled(pieces: Iterable[Span], options: ChunkingOptions) -> Iterator[Span]:
    """The pieces put together in order, each chunk as full as it can be."""
    last: Span | None = None
    for piece in pieces:
        if (
            last
            and piece.end - last.start <= options.target_s * SAMPLE_RATE
            and piece.start - last.end <= options.max_gap_s * SAMPLE_RATE
        ):
            last = Span(last.start, piece.end)
            continue
        if last:
            yield last
        last = piece
    if last:
        yield last


_PACKINGS = {"pauses": _joined, "full": _filled}


def _best_break(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> int:
    """After which of several pieces to part them: the longest pause that leaves no short end, if there is one."""
    gaps = starts[1:] - ends[:-1]
    shorter_side = np.minimum(ends[:-1] - starts[0], ends[-1] - starts[1:])
    roomy = shorter_side >= _SHORT_END_S * SAMPLE_RATE
    candidates = np.flatnonzero(roomy if roomy.any() else np.ones_like(roomy))
    # Of equal pauses the most central one.
    return int(candidates[np.lexsort((-shorter_side[candidates], -gaps[candidates]))[0]])
