"""From the words that were found to a time for every word: filled in, in order, inside the chunk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Timing = Literal["aligned", "interpolated"]

SHORTEST_WORD_S: Final = 0.01
_SECONDS_PER_LETTER: Final = 0.08
"""Pace of words that were not found in the audio: 15 characters a second with spaces is ordinary English speech."""


@dataclass(frozen=True, slots=True)
class AlignedWord:
    """When a written word is spoken: seconds from the start of the chunk; `probability` in [0, 1]."""

    start: float
    end: float
    probability: float
    timing: Timing


@dataclass(frozen=True, slots=True)
class Heard:
    """A written word that the search found: seconds from the start of the chunk."""

    start: float
    end: float
    probability: float

    def later(self, seconds: float) -> Heard:
        """The same word, so many seconds later."""
        return Heard(self.start + seconds, self.end + seconds, self.probability)


def lay_out(words: Sequence[str], heard: Sequence[Heard | None], duration: float) -> list[AlignedWord]:
    """Give every word a time: `start < end`, no overlaps, inside `[0, duration]`.

    Words that were not found share the room between their neighbours by their number of letters, at a speaker's
    ordinary pace at most, so that the last one does not stretch into silence.

    Args:
        words: the written words.
        heard: what was found of each, None where nothing was.
        duration: of the chunk, seconds; positive.
    """
    times = [(word.start, word.end) if word else None for word in heard]
    index = 0
    while index < len(times):
        if times[index] is None:
            after = next((i for i in range(index, len(times)) if times[i] is not None), len(times))
            left = times[index - 1][1] if index else 0.0  # type: ignore[index]  # filled in by the turn before
            right = times[after][0] if after < len(times) else duration  # type: ignore[index]
            times[index:after] = _share(words[index:after], left, right, late=index == 0 and after < len(times))
            index = after
        index += 1
    placed = _settle([time for time in times if time is not None], duration)
    return [
        # Rounded down; `min` for lengths that lie a hair below a millisecond.
        AlignedWord(
            _to_ms(start), min(_to_ms(end), duration), round(word.probability, 4) if word else 0.0, _timing(word)
        )
        for (start, end), word in zip(placed, heard, strict=True)
    ]


def _to_ms(seconds: float) -> float:
    return math.floor(seconds * 1000 + 1e-6) / 1000


def _timing(word: Heard | None) -> Timing:
    return "aligned" if word else "interpolated"


def _share(words: Sequence[str], left: float, right: float, *, late: bool) -> list[tuple[float, float]]:
    """Split the room between two found words; `late` puts the words at its end (before the first found word)."""
    letters = [max(sum(map(str.isalnum, word)), 0) for word in words]
    wanted = [max(count * _SECONDS_PER_LETTER, SHORTEST_WORD_S) for count in letters]
    scale = min(1.0, max(right - left, 0.0) / sum(wanted))
    cursor = right - scale * sum(wanted) if late else left
    times = []
    for width in wanted:
        times.append((cursor, cursor + width * scale))
        cursor += width * scale
    return times


def _settle(times: list[tuple[float, float]], duration: float) -> list[tuple[float, float]]:
    shortest = min(SHORTEST_WORD_S, duration / (len(times) + 1))
    placed: list[tuple[float, float]] = []
    floor = 0.0
    for wanted, end in times:
        start = max(wanted, floor)
        floor = max(end, start + shortest)
        placed.append((start, floor))
    ceiling = duration
    for index in range(len(placed) - 1, -1, -1):
        start, end = placed[index]
        end = min(end, ceiling)
        ceiling = min(start, end - shortest)
        placed[index] = (ceiling, end)
    return placed
