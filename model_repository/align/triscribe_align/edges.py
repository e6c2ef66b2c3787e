"""Which edges a chunk's words have, and where each may lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PAUSE_S: Final = 0.26
"""Labels of two words further apart than this have a pause (or untold speech) between them: two edges, not one."""

SILENCE: Final = 0
"""Kind of sound beside an onset or an offset."""

_BEFORE_ONSET_S: Final = 0.2
_AFTER_OFFSET_S: Final = 0.3
_BEYOND_LABEL_S: Final = 0.025


@dataclass(frozen=True, slots=True)
class Edge:
    """Where to look for one edge: seconds of the labels on either side, their kinds of sound, and the window."""

    left_s: float
    right_s: float
    left_kind: int
    right_kind: int
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class Sounding:
    """A word's first and last label: centre of its first and of its last frame in seconds, and kinds of sound."""

    first_s: float
    last_s: float
    first_kind: int
    last_kind: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The edges of a chunk; `starts` and `ends` name the edge of each word, None for words that were not found."""

    edges: list[Edge]
    starts: list[int | None]
    ends: list[int | None]


def plan(words: Sequence[Sounding | None], untold: Sequence[Sounding | None], duration: float) -> Plan:
    """The edges of a chunk: neighbours share one unless there is a pause or untold speech between them.

    Args:
        words: what was found of each word.
        untold: speech without text before each found word; one more item, for after the last one.
        duration: of the chunk, in seconds.
    """
    edges: list[Edge] = []
    starts: list[int | None] = [None] * len(words)
    ends: list[int | None] = [None] * len(words)
    before: int | None = None
    for index, word in enumerate(words):
        if word is None:
            continue
        left = words[before] if before is not None else None
        between = untold[index]
        if before is None or left is None:
            edges.append(_junction(between, word) if between else _onset(word, 0.0))
        elif between:
            edges.extend((_junction(left, between), _junction(between, word)))
            ends[before] = len(edges) - 2
        elif word.first_s - left.last_s <= PAUSE_S:
            edges.append(_junction(left, word))
            ends[before] = len(edges) - 1
        else:
            middle = (left.last_s + word.first_s) / 2
            edges.extend((_offset(left, middle), _onset(word, middle)))
            ends[before] = len(edges) - 2
        starts[index] = len(edges) - 1
        before = index
    last = words[before] if before is not None else None
    if before is not None and last is not None:
        between = untold[-1]
        edges.append(_junction(last, between) if between else _offset(last, duration))
        ends[before] = len(edges) - 1
    return Plan(edges, starts, ends)


def _onset(word: Sounding, floor_s: float) -> Edge:
    left = word.first_s - _BEFORE_ONSET_S
    return Edge(left, word.first_s, SILENCE, word.first_kind, max(left, floor_s), word.first_s + _BEYOND_LABEL_S)


def _offset(word: Sounding, ceiling_s: float) -> Edge:
    right = word.last_s + _AFTER_OFFSET_S
    return Edge(word.last_s, right, word.last_kind, SILENCE, word.last_s - _BEYOND_LABEL_S, min(right, ceiling_s))


def _junction(left: Sounding, right: Sounding) -> Edge:
    return Edge(
        left.last_s,
        right.first_s,
        left.last_kind,
        right.first_kind,
        left.last_s - _BEYOND_LABEL_S,
        right.first_s + _BEYOND_LABEL_S,
    )
