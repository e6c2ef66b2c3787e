"""Speech without text: what of a chunk nobody wrote down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .evidence import Frames, covered, seconds, stretches
from .result import Segment, Warning_

LOST_S: Final = 1.5
"""Speech without text that is worth a second look; 210 read recordings have up to 0.7 s, the one that lost a sentence
3.5 s."""

LOST_SHARE: Final = 0.2
"""The same as a share of all speech."""

THIN_BYTES: Final = 4.0
"""UTF-8 bytes of text for a second of speech. Cross-attention stretches the words over whatever there is, so that only
the amount of text shows a loss."""

LONGEST_WORD_S: Final = 1.6
"""An aligner stretches words over speech that the text leaves out; of 7,473 words of clean, noisy and reverberant read
speech the longest has 1.54 s."""

_WORD_S: Final = 0.8
"""What a stretched word is given."""

_SHORTEST_S: Final = 0.4
"""Shorter stretches are not worth a warning of their own."""

_MESSAGE: Final = "somebody speaks here, and the model wrote nothing down"


@dataclass(frozen=True)
class Loss:
    """Speech that a text leaves out: the frames, and how many seconds in all."""

    frames: Frames
    seconds: float

    @property
    def warnings(self) -> tuple[Warning_, ...]:
        """One for each stretch."""
        spans = stretches(self.frames)
        kept = [span for span in spans if span[1] - span[0] >= _SHORTEST_S] or spans
        return tuple(Warning_("speech_not_transcribed", _MESSAGE, *span) for span in kept)


def loss(speaking: Frames, segments: Sequence[Segment]) -> Loss | None:
    """What the segments leave out of the speech; None where that is little.

    Args:
        speaking: where somebody speaks. With all sound in its place the answer is a bound: no loss there, none here.
        segments: with the times of their words, where those are known.
    """
    spans = [span for segment in segments for span in _spans(segment)]
    spoken_s = seconds(speaking)
    left = speaking & ~covered(spans, len(speaking))
    if seconds(left) >= max(LOST_S, LOST_SHARE * spoken_s):
        return Loss(left, seconds(left))
    if all(word.timing != "attention" for segment in segments for word in segment.words):
        return None
    written = sum(len(segment.text.encode()) for segment in segments)
    thin_s = spoken_s - written / THIN_BYTES
    return Loss(speaking, thin_s) if thin_s >= max(LOST_S, LOST_SHARE * spoken_s) else None


def _spans(segment: Segment) -> list[tuple[float, float]]:
    """What of the time of a segment its text stands for."""
    if not segment.words:
        return [(segment.start, segment.end)]
    return [
        (word.start, word.end if word.end - word.start <= LONGEST_WORD_S else word.start + _WORD_S)
        for word in segment.words
    ]


def is_better(after: Loss | None, before: Loss) -> bool:
    """Whether another text leaves clearly less out."""
    return after is None or after.seconds < (1 - LOST_SHARE) * before.seconds
