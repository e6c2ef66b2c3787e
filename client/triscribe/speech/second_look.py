"""What voice detection left out, looked at once more: quiet speech, and sounds that may hold some.

Silero judges by level and by what it heard before: speech 20 to 40 dB below that of somebody else is lost to it, and
half of what is sung. Quiet stretches are therefore heard again, brought to the level of speech. What is loud and moves
as voices do, and still is no speech to it, is a sound: whether somebody sings there, only a transcript can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from triscribe.media.samples import release
from triscribe.types import SAMPLE_RATE, Samples, Span

SpeechFinder = Callable[[Samples], list[Span]]
"""Spans of speech in samples that nothing was heard before."""

_SHORTEST_S = 0.5
"""Seconds of a gap that are worth a look."""

_SHORTEST_SOUND_S = 2.0
"""Seconds of a sound: shorter ones are laughter, coughs and doors."""

_FRAME = SAMPLE_RATE // 10
"""100 ms: short enough to fall between syllables, long enough for the level of noise to be steady."""

_LONGEST = 300 * SAMPLE_RATE
"""Samples of a gap that are looked at together (5 minutes): a recording of hours without speech is one gap."""

_MOVING = 0.5
"""Share of the energy above the floor (3 dB). White noise has 0.1, pink noise 0.2, speech and music more than 0.8."""

_SPEECH_LEVEL = 10 ** (-23 / 20)
"""Root mean square of the loud frames of ordinary recordings."""

_MAX_GAIN = 100.0
"""40 dB: what is quieter is lost in the noise of 16 bits."""

_FAR_BELOW, _NEAR = 0.1, 0.5
"""Speech 20 dB below the loudest in its chunk is brought to 6 dB below it."""

_RAMP = SAMPLE_RATE // 50
"""Samples in which a gain changes."""

_LOUD = 10 ** (-50 / 20)
"""Root mean square of the loud frames of a sound; quieter ones are rooms, breath and clothes."""

_AUDIBLE = 10 ** (-60 / 20)
"""A sound begins and ends with a frame of this."""


def quiet_speech(samples: Samples, gap: Span, find: SpeechFinder) -> Iterator[Span]:
    """Speech in a gap that is too quiet beside the rest, in order; most gaps have none."""
    for start in range(gap.start, gap.end, _LONGEST):
        louder = _brought_up(samples[start : min(start + _LONGEST, gap.end)])
        if louder is not None:
            yield from (Span(start + span.start, start + span.end) for span in find(louder))


def _brought_up(part: Samples) -> Samples | None:
    """A part of a gap at the level of speech, where it is below that and may hold some."""
    levels = _levels(part)
    if len(part) < _SHORTEST_S * SAMPLE_RATE or not _moves(levels):
        return None
    gain = min(_MAX_GAIN, _SPEECH_LEVEL / float(np.percentile(levels[levels > 0], 95)))  # `_moves`: some are
    if gain <= 1.0:
        return None
    louder: Samples = np.clip(part * np.float32(gain), -1.0, 1.0)
    return louder


def levelled(samples: Samples, spans: Sequence[Span]) -> Samples:
    """The samples with speech that is far quieter than the rest brought near its level; mostly the samples themselves.

    Whisper, too, passes over somebody who speaks 30 dB below somebody else.

    Args:
        samples: of one chunk.
        spans: the speech in it, each of one voice more or less.
    """
    levels = [
        float(np.percentile(_levels(samples[span.start : span.end]), 95, method="higher"))
        if span.end - span.start >= _FRAME
        else 0.0
        for span in spans
    ]
    loudest = max(levels, default=0.0)
    quiet = [(span, level) for span, level in zip(spans, levels, strict=True) if 0.0 < level < _FAR_BELOW * loudest]
    if not quiet:
        return samples
    gains = np.ones(len(samples), np.float32)
    for span, level in quiet:
        gains[span.start : span.end] = min(_MAX_GAIN, _NEAR * loudest / level)
    ramp = np.ones(_RAMP, np.float32) / _RAMP
    smooth = np.convolve(np.pad(gains, _RAMP // 2, mode="edge"), ramp, mode="valid")[: len(samples)]
    louder: Samples = np.clip(samples * smooth.astype(np.float32), -1.0, 1.0)
    return louder


def sound(samples: Samples, gap: Span) -> Span | None:
    """The part of a gap in which something is to be heard that may be a voice."""
    levels = _levels(samples[gap.start : gap.end])
    audible = np.flatnonzero(levels > _AUDIBLE)
    if not len(audible):
        return None
    first, last = int(audible[0]), int(audible[-1]) + 1
    heard = levels[first:last]
    if len(heard) * _FRAME < _SHORTEST_SOUND_S * SAMPLE_RATE or float(np.percentile(heard, 95)) <= _LOUD:
        return None
    end = gap.end if last == len(levels) else gap.start + last * _FRAME
    return Span(gap.start + first * _FRAME, end) if _moves(heard) else None


def _levels(samples: Samples) -> NDArray[np.float64]:
    """Root mean square of each frame."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels = np.empty(len(frames), np.float64)
    step = _LONGEST // _FRAME
    for start in range(0, len(frames), step):
        part = frames[start : start + step]
        levels[start : start + step] = np.sqrt(np.einsum("ij,ij->i", part, part, dtype=np.float64) / _FRAME)
        if len(part) == step:
            release(samples)
    return levels


def _moves(levels: NDArray[np.float64]) -> bool:
    if not len(levels) or not levels.any():
        return False
    energies = np.square(levels)
    return bool(1 - np.percentile(energies, 10) / energies.mean() >= _MOVING)
