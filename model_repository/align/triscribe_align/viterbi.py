"""Forced alignment by a log-domain Viterbi search over CTC emissions.

The trellis has one state per label, an optional blank between labels, and a *gap* before, between and after
words. It differs from the textbook CTC trellis (Graves 2006) in three ways that keep one wrong word of the
transcript from dragging its neighbours:

- a label accepts any other label at a price, so a misspelt word still covers its own sound;
- a gap accepts blank, word boundary or, at a price, any label, so speech without text has a place to go;
- a word may be left out altogether at a price, so text without speech does not eat its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_BLOCK_FRAMES: Final = 32
"""The window of live states moves once in this many frames."""

_BEAM: Final = 400.0
"""States further than this below the best one are dropped, in nats: about 200 frames (4 s) of untold speech."""

_IMPOSSIBLE: Final = np.float32(-1e9)
_GAP: Final = -1
_BLANK: Final = -2
_WILDCARD: Final = -3

WILDCARD_WORD: Final = (_WILDCARD,)
"""Labels of a word that the model cannot spell: it covers whatever sound there is."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Prices of leaving the transcript, in nats (see docs/alignment.md for how they were found).

    Attributes:
        other_label: per frame in which a label covers the sound of another.
        untold_speech: per frame in which a gap covers a label.
        skip_word: for leaving a word out, once.
        skip_label: for leaving a word out, per label of the word.
    """

    other_label: float = 6.0
    untold_speech: float = 2.0
    skip_word: float = 6.0
    skip_label: float = 3.0


@dataclass(frozen=True, slots=True)
class LabelSpan:
    """One label of one word: its frames (`last` is inclusive) and its mean posterior."""

    label: int
    first: int
    last: int
    probability: float


@dataclass(frozen=True, slots=True)
class _Trellis:
    labels: NDArray[np.int32]  # (states,) label, or one of the negative marks
    words: NDArray[np.int32]  # (states,) word of the state, -1 for gaps
    jump: NDArray[np.float32]  # (states,) 0 where it may be entered from two states before
    gaps: NDArray[np.intp]  # (words + 1,) states of the gaps
    skip: NDArray[np.float32]  # (words,) score of leaving the word out, negative


@dataclass(frozen=True, slots=True)
class Alignment:
    """The best path: one list of spans per word (empty where the word was left out) and its score in nats."""

    words: list[list[LabelSpan]]
    score: float


def align(
    emissions: NDArray[np.float32], words: Sequence[tuple[int, ...]], blank: int, boundary: int | None, costs: Costs
) -> Alignment:
    """Find the frames of every label of every word.

    Args:
        emissions: (frames, labels) log-probabilities.
        words: the labels of each word; empty for a word without sound, `WILDCARD_WORD` for an unknown one.
        blank: label of the CTC blank.
        boundary: label of the word boundary, where the model has one.
        costs: prices of leaving the transcript.
    """
    if not words or not len(emissions):
        return Alignment([[] for _ in words], 0.0)
    trellis = _build(words, costs)
    found = _search(_Scorer(emissions, trellis, blank, boundary, costs), trellis)
    if found is None:
        return Alignment([[] for _ in words], float(_IMPOSSIBLE))
    path, score = found
    return Alignment(_spans(path, trellis, emissions, len(words)), score)


def _build(words: Sequence[tuple[int, ...]], costs: Costs) -> _Trellis:
    labels, owners, jump, gaps = [_GAP], [-1], [_IMPOSSIBLE], [0]
    for index, word in enumerate(words):
        before = words[index - 1][-1:] if index else (_GAP,)
        for position, label in enumerate(word):
            if position > 0:
                labels.append(_BLANK)
                owners.append(index)
                jump.append(_IMPOSSIBLE)
                before = word[position - 1 : position]
            # Two equal labels in a row need the blank or the gap between them.
            free = bool(before) and before[0] != label
            labels.append(label)
            owners.append(index)
            jump.append(np.float32(0.0) if free else _IMPOSSIBLE)
        labels.append(_GAP)
        owners.append(-1)
        jump.append(_IMPOSSIBLE)
        gaps.append(len(labels) - 1)
    skip = [-(costs.skip_word + costs.skip_label * len(word)) if word else 0.0 for word in words]
    return _Trellis(
        labels=np.array(labels, np.int32),
        words=np.array(owners, np.int32),
        jump=np.array(jump, np.float32),
        gaps=np.array(gaps, np.intp),
        skip=np.array(skip, np.float32),
    )


class _Scorer:
    """Scores of a window of states over a block of frames, so that nothing of size frames x states is kept."""

    def __init__(
        self, emissions: NDArray[np.float32], trellis: _Trellis, blank: int, boundary: int | None, costs: Costs
    ) -> None:
        silent = [blank] if boundary is None else [blank, boundary]
        sound = np.delete(emissions, silent, axis=1).max(axis=1, keepdims=True)  # (frames, 1)
        quiet = emissions[:, silent].max(axis=1, keepdims=True)  # (frames, 1)
        self._floor = sound - np.float32(costs.other_label)
        self._gap = np.maximum(quiet, sound - np.float32(costs.untold_speech))
        # Cheaper than a gap over speech, dearer than a gap over silence: it takes the sound and leaves the pause.
        self._wildcard = np.maximum(quiet - np.float32(1.0), sound)
        self._emissions, self._labels, self._blank = emissions, trellis.labels, blank

    def __len__(self) -> int:
        return len(self._emissions)

    def block(self, frames: slice, states: slice) -> NDArray[np.float32]:
        """Scores, (frames, states)."""
        labels = self._labels[states]
        emissions = self._emissions[frames]
        scores: NDArray[np.float32] = emissions[:, np.maximum(labels, 0)]
        np.maximum(scores, self._floor[frames], out=scores)
        scores[:, labels == _BLANK] = emissions[:, self._blank : self._blank + 1]
        scores[:, labels == _GAP] = self._gap[frames]
        scores[:, labels == _WILDCARD] = self._wildcard[frames]
        return scores


@dataclass(frozen=True, slots=True)
class _Block:
    """A finished stretch of the search: row 0 is the frame before it; two columns of margin on the left."""

    best: NDArray[np.float32]  # (frames + 1, states of the window + 2)
    first_state: int


def _search(scorer: _Scorer, trellis: _Trellis) -> tuple[NDArray[np.intp], float] | None:
    """Best state of every frame, (frames,), and the score; None where the frames are too few for the words."""
    states = len(trellis.labels)
    row = np.full(states + 2, _IMPOSSIBLE, np.float32)  # column i + 2 is state i
    row[1] = 0.0  # the search starts before the first gap
    blocks: list[_Block] = []
    for start in range(0, len(scorer), _BLOCK_FRAMES):
        frames = slice(start, min(start + _BLOCK_FRAMES, len(scorer)))
        live = np.flatnonzero(row >= row.max() - _BEAM)
        low = max(int(live[0]) - 2, 0)
        high = min(int(live[-1]) + 2 * _BLOCK_FRAMES, states)
        block = _advance(row, scorer.block(frames, slice(low, high)), trellis, low)
        blocks.append(_Block(block, low))
        row = np.full(states + 2, _IMPOSSIBLE, np.float32)
        row[low + 2 : high + 2] = block[-1, 2:]
    last = states - 1 if row[-1] >= row[-2] else states - 2
    score = float(row[last + 2])
    return (_trace(blocks, trellis, last), score) if score > _IMPOSSIBLE / 2 else None


def _advance(row: NDArray[np.float32], scores: NDArray[np.float32], trellis: _Trellis, low: int) -> NDArray[np.float32]:
    """Run the frames of one block over one window of states: six array operations a frame, nothing allocated."""
    frames, width = scores.shape
    best = np.empty((frames + 1, width + 2), np.float32)
    best[0] = row[low : low + width + 2]
    best[1:, :2] = _IMPOSSIBLE
    jump = trellis.jump[low : low + width]
    inside = (trellis.gaps[:-1] >= low) & (trellis.gaps[1:] < low + width)
    source = trellis.gaps[:-1][inside] - low + 2
    target = trellis.gaps[1:][inside] - low + 2
    skip = trellis.skip[inside]
    jumped = np.empty(width, np.float32)
    for before, now, score in zip(best[:-1], best[1:], scores, strict=True):
        here = now[2:]
        np.add(before[:-2], jump, out=jumped)
        np.maximum(before[2:], before[1:-1], out=here)
        np.maximum(here, jumped, out=here)
        np.add(here, score, out=here)
        now[target] = np.maximum(now[target], now[source] + skip)  # leaving a word out takes no frame
    return best


def _trace(blocks: list[_Block], trellis: _Trellis, state: int) -> NDArray[np.intp]:
    """Walk back from the last state. The choices were not stored: they follow from the scores."""
    gaps = trellis.gaps.tolist()
    left_out = {gap: (before, skip) for gap, before, skip in zip(gaps[1:], gaps[:-1], trellis.skip, strict=True)}
    path: list[int] = []
    for block in reversed(blocks):
        offset = 2 - block.first_state
        for now, row in zip(block.best[:0:-1], block.best[-2::-1], strict=True):
            while state in left_out:
                before, skip = left_out[state]
                if before < block.first_state or now[state + offset] > now[before + offset] + skip:
                    break
                state = before
            path.append(state)
            column = state + offset
            origins = [(row[column], state), (row[column - 1], state - 1)]
            if trellis.jump[state] == 0.0:
                origins.append((row[column - 2], state - 2))
            state = max(origins)[1]
    return np.array(path[::-1], np.intp)


def _spans(
    path: NDArray[np.intp], trellis: _Trellis, emissions: NDArray[np.float32], words: int
) -> list[list[LabelSpan]]:
    spans: list[list[LabelSpan]] = [[] for _ in range(words)]
    starts = np.flatnonzero(np.diff(path, prepend=-1))  # (runs,) first frame of every run of one state
    for first, after in zip(starts, np.append(starts[1:], len(path)), strict=True):
        label = int(trellis.labels[path[first]])
        if label in (_GAP, _BLANK):
            continue
        posterior = 0.0 if label < 0 else float(np.exp(emissions[first:after, label]).mean())
        spans[trellis.words[path[first]]].append(LabelSpan(label, int(first), int(after) - 1, posterior))
    return spans
