"""Word edges beyond the CTC spikes.

CTC puts a label somewhere inside its sound, in steps of 20 ms. The edge between two words lies between the last
label of one and the first of the next: every 5 ms there is a candidate, scored by a log-linear model of what is
seen around it (spectral and energy change, the model's word-boundary and blank posteriors, the distance to both
labels), with weights for the kind of sound on either side. The answer is the median of the candidates' softmax.

The weights (a few hundred numbers, `refinement.json` beside aligner.toml) are fitted by `scripts/fit_refinement`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import spectrum
from .description import Emissions
from .edges import Edge
from .errors import AlignError
from .spectrum import BANDS, HOP_S

_OTHER: Final = "other"
_QUIET: Final = 10.0
"""Band powers further below speech than this (nepers of power, 43 dB) count as equally quiet."""


@dataclass(frozen=True, slots=True)
class Refinement:
    """The fitted model. `weights` has a row for all edges, one for each kind on the left, one for each on the right."""

    kinds: dict[str, int]
    sounds: dict[str, int]
    mean: NDArray[np.float32]  # (features,)
    scale: NDArray[np.float32]  # (features,)
    weights: NDArray[np.float32]  # (1 + 2 * kinds, features)

    def kind(self, sound: str) -> int:
        """Kind of a label's sound."""
        return self.sounds.get(sound, self.kinds[_OTHER])

    def weights_of(self, edges: list[Edge]) -> NDArray[np.float32]:
        """Weights of each edge, (edges, features)."""
        left = np.array([edge.left_kind for edge in edges])
        right = np.array([edge.right_kind for edge in edges])
        weights: NDArray[np.float32] = (
            self.weights[0] + self.weights[1 + left] + self.weights[1 + len(self.kinds) + right]
        )
        return weights


def read(path: Path) -> Refinement:
    """Read refinement.json.

    Raises:
        AlignError: FAILED_PRECONDITION.
    """
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kinds = {name: index for index, name in enumerate(("silence", _OTHER, *table["kinds"]))}
        sounds = {sound: kinds[name] for name, members in table["kinds"].items() for sound in members.split()}
        mean, scale, weights = (np.array(table[key], np.float32) for key in ("mean", "scale", "weights"))
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise AlignError("FAILED_PRECONDITION", f"{path} is not a refinement: {error!r}") from error
    if weights.shape != (1 + 2 * len(kinds), FEATURES) or mean.shape != scale.shape or mean.shape != (FEATURES,):
        raise AlignError("FAILED_PRECONDITION", f"{path} holds weights of shape {weights.shape}")
    return Refinement(kinds, sounds, mean, scale, weights)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the features are made of; all clocks start with the chunk."""

    bands: NDArray[np.float32]  # (frames, bands), every HOP_S
    silent: NDArray[np.float32]  # (frames, 2), posterior of word boundary and of blank, every HOP_S


def evidence(
    audio: NDArray[np.float32], silent: NDArray[np.float32], clock: Emissions, speech: tuple[float, float]
) -> Evidence:
    """Gather the evidence of one chunk.

    Args:
        audio: (samples,) at 16 kHz.
        silent: (model frames, 2) posteriors of word boundary and blank.
        clock: says when the model's frames are.
        speech: where the first word begins and the last one ends, seconds, roughly. The level of speech is taken from
            there alone, so that silence around it changes nothing.
    """
    bands = spectrum.log_mel(audio)
    first = min(max(round(speech[0] / HOP_S), 0), len(bands) - 1)
    inside = slice(first, max(round(speech[1] / HOP_S), first + 1))  # one label alone begins and ends in the same frame
    level = np.percentile(bands[inside].mean(axis=1), 90).astype(np.float32)
    # Where a recording ends and padding begins is no edge: nothing counts as quieter than the closures in the speech.
    floor = np.maximum(np.percentile(bands[inside], 5, axis=0), level - _QUIET).astype(np.float32)  # (bands,)
    bands = np.maximum(bands, floor) - level
    times = np.arange(len(bands)) * HOP_S
    centres = clock.first_frame_s + np.arange(len(silent)) * clock.frame_s
    fine = np.stack([np.interp(times, centres, column) for column in silent.T], axis=1).astype(np.float32)
    return Evidence(bands, fine)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of all edges, one after the other."""

    frames: NDArray[np.intp]  # (candidates,), frame of HOP_S
    edges: NDArray[np.intp]  # (candidates,), index of the edge
    features: NDArray[np.float32]  # (candidates, FEATURES)


_SPANS: Final = (2, 4, 8)
"""Frames averaged on either side of a candidate: 10, 20 and 40 ms."""

FEATURES: Final = 5 + 3 * len(_SPANS) + 4


def candidates(seen: Evidence, edges: list[Edge]) -> Candidates:
    """Every place where an edge may lie, and what is seen there."""
    last = len(seen.bands) - 1
    lows = np.clip(np.round([edge.low_s / HOP_S for edge in edges]), 0, last).astype(np.intp)
    highs = np.clip(np.round([edge.high_s / HOP_S for edge in edges]), lows, last).astype(np.intp)
    index = np.repeat(np.arange(len(edges)), highs - lows + 1)
    first = np.concatenate([[0], (highs - lows + 1).cumsum()[:-1]])
    frames = np.arange(len(index)) - first[index] + lows[index]
    return Candidates(frames, index, _features(seen, edges, frames, index))


def _features(
    seen: Evidence, edges: list[Edge], frames: NDArray[np.intp], index: NDArray[np.intp]
) -> NDArray[np.float32]:
    bands = seen.bands
    total = np.concatenate([np.zeros((1, bands.shape[1])), bands.cumsum(axis=0, dtype=np.float64)])

    def mean(first: NDArray[np.intp], after: NDArray[np.intp]) -> NDArray[np.float64]:
        first = np.clip(first, 0, len(bands) - 1)
        after = np.clip(after, first + 1, len(bands))
        result: NDArray[np.float64] = (total[after] - total[first]) / (after - first)[:, None]
        return result

    left = np.array([edge.left_s for edge in edges])[index]
    right = np.array([edge.right_s for edge in edges])[index]
    after = (frames * HOP_S - right) / 0.03  # from the label on the right, in units of 30 ms
    apart = (right - left) / 0.1
    columns = [after, after**2, after * apart, np.maximum(after, 0.0), np.maximum(left - frames * HOP_S, 0.0) / 0.03]
    for span in _SPANS:
        change = mean(frames, frames + span) - mean(frames - span, frames)  # (candidates, bands)
        columns.append(np.sqrt((change**2).mean(axis=1)))
        columns.append(change.mean(axis=1))
        columns.append(change[:, : BANDS // 3].mean(axis=1) - change[:, -BANDS // 3 :].mean(axis=1))
    columns.append(_contrast(mean, frames, left, right))
    columns.extend(seen.silent[frames].T)
    columns.append(bands.mean(axis=1)[frames])
    return np.stack(columns, axis=1).astype(np.float32)


def _contrast(
    mean: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]],
    frames: NDArray[np.intp],
    left: NDArray[np.float64],
    right: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Share of the variance between the two labels that a cut at the candidate explains (its square root)."""
    first = np.maximum(np.round(left / HOP_S).astype(np.intp) - 2, 0)
    after = np.round(right / HOP_S).astype(np.intp) + 4
    cut = np.clip(frames, first + 1, after - 1)
    before, behind = cut - first, after - cut
    weight = before * behind / (before + behind) ** 2
    gap = mean(first, cut) - mean(cut, after)  # (candidates, bands)
    result: NDArray[np.float64] = np.sqrt(weight * (gap**2).mean(axis=1))
    return result


def decide(seen: Evidence, edges: list[Edge], refinement: Refinement) -> list[float]:
    """Time of each edge, in seconds."""
    if not edges:
        return []
    found = candidates(seen, edges)
    weights = refinement.weights_of(edges)[found.edges]  # (candidates, features)
    scores = ((found.features - refinement.mean) / refinement.scale * weights).sum(axis=1)
    starts = np.flatnonzero(np.diff(found.edges, prepend=-1))
    scores -= np.maximum.reduceat(scores, starts)[found.edges]
    likelihood = np.exp(scores)
    likelihood /= np.add.reduceat(likelihood, starts)[found.edges]
    # Position of the median within each edge's share of the cumulated distribution.
    below = (likelihood.cumsum(dtype=np.float64) - found.edges) < 0.5
    medians = starts + np.add.reduceat(below.astype(np.intp), starts)
    medians = np.minimum(medians, np.append(starts[1:], len(scores)) - 1)
    return [float(frame) * HOP_S for frame in found.frames[medians]]
