"""From what a pipeline found to the result: labels by appearance, overlaps, times inside the recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from triscribe.diarization.overlaps import find_overlaps
from triscribe.types import Overlap, SpeakerTurn

RawTurn = tuple[float, float, str]
"""Start and end in seconds, and the pipeline's own label."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a pipeline found in one recording, in its own labels.

    Attributes:
        turns: turns that may overlap.
        exclusive: at most one speaker at a time.
        embeddings: centroid of each label, shape `(dimension,)`; labels may be missing.
    """

    turns: tuple[RawTurn, ...] = ()
    exclusive: tuple[RawTurn, ...] = ()
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one job. `speakers` are in order of appearance; times are seconds."""

    turns: tuple[SpeakerTurn, ...] = ()
    exclusive: tuple[SpeakerTurn, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    speakers: tuple[str, ...] = ()
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def arrange(found: Found, duration: float) -> Outcome:
    """Names the speakers SPEAKER_00, SPEAKER_01, ... in order of appearance and cuts turns at the end.

    Args:
        found: what the pipeline returned; windows may reach beyond the end of the recording.
        duration: length of the recording in seconds.
    """
    turns = _clip(found.turns, duration)
    names: dict[str, str] = {}
    for _, _, label in turns:
        names.setdefault(label, f"SPEAKER_{len(names):02d}")
    exclusive = [turn for turn in _clip(found.exclusive, duration) if turn[2] in names]
    named = tuple(SpeakerTurn(start, end, names[label]) for start, end, label in turns)
    return Outcome(
        turns=named,
        exclusive=tuple(SpeakerTurn(start, end, names[label]) for start, end, label in exclusive),
        overlaps=find_overlaps(named),
        speakers=tuple(names.values()),
        embeddings={
            name: found.embeddings[label]
            for label, name in names.items()
            if label in found.embeddings and np.isfinite(found.embeddings[label]).all()
        },
    )


def _clip(turns: Iterable[RawTurn], duration: float) -> list[RawTurn]:
    # Milliseconds: a frame of the segmentation is 17 ms, more digits are noise.
    clipped = ((round(max(0.0, a), 3), round(min(b, duration), 3), label) for a, b, label in turns)
    return sorted(turn for turn in clipped if turn[1] > turn[0])
