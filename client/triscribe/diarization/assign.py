"""Turns to words: who said which word, and segments that belong to one speaker each."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise

from triscribe.diarization.options import Diarization
from triscribe.types import Segment, SpeakerTurn, Word

MAX_GAP_S = 2.0
"""A word outside every turn goes to the nearest turn up to this far away, and to nobody beyond."""

_TIE_S = 0.001
"""Shares closer than this are equal: turns come in milliseconds."""


def assign(
    segments: tuple[Segment, ...], diarization: Diarization, *, max_gap_s: float = MAX_GAP_S
) -> tuple[Segment, ...]:
    """Gives every word a speaker and splits segments where the speaker changes.

    The exclusive turns decide: among speakers who talk at once they name the one most likely meant. A word belongs
    to the speaker with the longest share of it; in a tie, to the one nearest to its middle; in a gap, to the
    nearest turn up to `max_gap_s` away; else to nobody. A segment without words goes to the speaker with the
    longest share of it, by the same rules.

    Args:
        segments: by time; times in the file's seconds.
        diarization: of the same file.
        max_gap_s: see above, in seconds.

    Returns:
        The segments, or their parts, with `speaker` set on them and on their words. Text is neither lost nor added,
        but for the white space where a segment was split.
    """
    turns = _Turns(diarization.exclusive_turns, max_gap_s)
    return tuple(part for segment in segments for part in _split(segment, turns))


class _Turns:
    """Exclusive turns, searched by time."""

    def __init__(self, turns: tuple[SpeakerTurn, ...], max_gap_s: float) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start)
        self._starts = [turn.start for turn in self._turns]
        self._ends = [turn.end for turn in self._turns]
        self._max_gap_s = max_gap_s

    def speaker(self, start: float, end: float) -> str | None:
        """Who talks between `start` and `end`."""
        first, last = bisect_right(self._ends, start), bisect_left(self._starts, end)
        shares: dict[str, float] = {}
        for turn in self._turns[first:last]:
            shares[turn.speaker] = shares.get(turn.speaker, 0.0) + min(end, turn.end) - max(start, turn.start)
        longest = max(shares.values(), default=0.0)
        winners = {speaker for speaker, share in shares.items() if share >= longest - _TIE_S}
        if longest > 0 and len(winners) == 1:
            return winners.pop()
        # The nearest turn is one of those just seen or a neighbour of them.
        middle = (start + end) / 2
        near = [turn for turn in self._turns[max(0, first - 1) : last + 1] if not winners or turn.speaker in winners]
        nearest = min(near, key=lambda turn: _distance(turn, middle), default=None)
        if nearest is None or _gap(nearest, start, end) > self._max_gap_s:
            return None
        return nearest.speaker


def _distance(turn: SpeakerTurn, time: float) -> float:
    return max(turn.start - time, time - turn.end, 0.0)


def _gap(turn: SpeakerTurn, start: float, end: float) -> float:
    return max(turn.start - end, start - turn.end, 0.0)


def _split(segment: Segment, turns: _Turns) -> Iterator[Segment]:
    if not segment.words:
        yield replace(segment, speaker=turns.speaker(segment.start, segment.end))
        return
    words = [replace(word, speaker=turns.speaker(word.start, word.end)) for word in segment.words]
    parts = [tuple(group) for _, group in groupby(words, key=lambda word: word.speaker)]
    for i, (part, text) in enumerate(zip(parts, _texts(segment.text, parts), strict=True)):
        yield replace(
            segment,
            start=segment.start if i == 0 else part[0].start,
            end=segment.end if i == len(parts) - 1 else part[-1].end,
            text=text,
            words=part,
            speaker=part[0].speaker,
        )


def _texts(text: str, parts: list[tuple[Word, ...]]) -> Iterator[str]:
    """The stretch of `text` that belongs to each part, found by walking its words through the text."""
    cuts, position = [0], 0
    for i, part in enumerate(parts):
        for j, word in enumerate(part):
            found = text.find(word.word.strip(), position)
            if found < 0:  # the text is not made of these words: write them out instead
                yield from (" ".join(w.word.strip() for w in group) for group in parts)
                return
            if i and not j:
                cuts.append(found)
            position = found + len(word.word.strip())
    cuts.append(len(text))
    for start, end in pairwise(cuts):
        yield text[start:end].strip()
