"""Speakers of whom a clip is there: they are named, not numbered.

The clips are appended to the recording, all of it goes to the diarizer as one, and a speaker is whoever has the clip.
Vectors of clips by themselves tell voices apart much worse than the clusters of a whole recording do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from triscribe.diarization.options import Diarization, DiarizationOptions
from triscribe.diarization.overlaps import find_overlaps
from triscribe.types import SAMPLE_RATE, Samples, SpeakerTurn

_GAP_S = 2.0
"""Silence before each clip, so that nobody seems to go on speaking in it."""

_LEAST_SHARE = 0.5
"""A speaker has a clip who speaks for so much of it."""


@dataclass(frozen=True, slots=True)
class KnownSpeaker:
    """A name, and a few seconds of the voice: mono at 16 kHz, shape `(n_samples,)`."""

    name: str
    samples: Samples


def appended(samples: Samples, known: Sequence[KnownSpeaker]) -> Samples:
    """The recording, and the clips after it."""
    silence = np.zeros(round(_GAP_S * SAMPLE_RATE), np.float32)
    clips = (part for speaker in known for part in (silence, speaker.samples))
    return np.concatenate([samples, *clips])


def widened(options: DiarizationOptions, count: int) -> DiarizationOptions:
    """The numbers of speakers are those of the recording; `count` others may be in the clips alone."""
    most = options.num_speakers or options.max_speakers
    return replace(
        options,
        num_speakers=None,
        min_speakers=options.num_speakers or options.min_speakers,
        max_speakers=None if most is None else most + count,
    )


def named(found: Diarization, length_s: float, known: Sequence[KnownSpeaker]) -> Diarization:
    """What was found in the recording alone, whose known speakers have their names.

    Args:
        found: in what `appended` made.
        length_s: of the recording, in seconds.
        known: the speakers, in the same order.
    """
    names = _names(found.exclusive_turns, length_s, known)
    turns = _within(found.turns, length_s, names)
    heard = {turn.speaker for turn in turns}
    vectors = {names.get(label, label): vector for label, vector in found.embeddings.items()}
    return Diarization(
        turns=turns,
        exclusive_turns=_within(found.exclusive_turns, length_s, names),
        overlaps=find_overlaps(turns),
        speakers=tuple(name for label in found.speakers if (name := names.get(label, label)) in heard),
        embeddings={name: vector for name, vector in vectors.items() if name in heard},
    )


def _names(turns: Iterable[SpeakerTurn], length_s: float, known: Sequence[KnownSpeaker]) -> dict[str, str]:
    """The name of each label that has a clip. Where one has several, it is named after the one that it has most of."""
    turns = tuple(turns)
    claims: list[tuple[float, str, str]] = []
    start = length_s
    for speaker in known:
        start += _GAP_S
        clip_s = len(speaker.samples) / SAMPLE_RATE
        shares: dict[str, float] = {}
        for turn in turns:
            together_s = min(start + clip_s, turn.end) - max(start, turn.start)
            shares[turn.speaker] = shares.get(turn.speaker, 0.0) + max(0.0, together_s) / clip_s
        claims += [(share, label, speaker.name) for label, share in shares.items() if share >= _LEAST_SHARE]
        start += clip_s
    names: dict[str, str] = {}
    for _, label, name in sorted(claims, reverse=True):
        names.setdefault(label, name)
    return names


def _within(turns: Iterable[SpeakerTurn], length_s: float, names: dict[str, str]) -> tuple[SpeakerTurn, ...]:
    return tuple(
        SpeakerTurn(turn.start, min(turn.end, length_s), names.get(turn.speaker, turn.speaker))
        for turn in turns
        if turn.start < length_s
    )
