"""Local agreement: what two hypotheses about a growing stretch of audio have in common will stay.

The method of Liu et al. 2020 (https://arxiv.org/abs/2005.11185) as Macháček et al. 2023 use it for Whisper
(https://arxiv.org/abs/2307.14743). Here it only decides where a stretch is complete; its final text then comes from a
decoding of its own, by the same pipeline as that of a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from triscribe.types import Segment, Word

_MIN_STRETCH_S = 3.0
"""Shorter stretches are recognised worse, and a full stop in them is often that of an abbreviation."""


class LocalAgreement:
    """Compares each hypothesis with the one before; times are the stream's seconds."""

    def __init__(self) -> None:
        self._previous: tuple[str, ...] = ()
        self.agreed = 0

    def update(self, segments: Sequence[Segment]) -> None:
        """Take the next hypothesis; `agreed` is how many of its first words the last one had too."""
        words = tuple(_normal(word.word) for segment in segments for word in segment.words)
        self.agreed = 0
        for ours, theirs in zip(words, self._previous, strict=False):
            if ours != theirs:
                break
            self.agreed += 1
        self._previous = words

    def cut_before(self, time_s: float, segments: Sequence[Segment]) -> list[Segment]:
        """Forget what lies before a cut; returns what is left of the hypothesis."""
        left = [segment for segment in segments if segment.start >= time_s]
        self._previous = tuple(_normal(word.word) for segment in left for word in segment.words)
        self.agreed = 0
        return left

    def complete_until(self, start_s: float, segments: Sequence[Segment]) -> float | None:
        """The latest pause between two segments that two hypotheses agree on, beyond it included."""
        seen, cut = 0, None
        for segment, following in pairwise(segments):
            seen += len(segment.words)
            if seen >= self.agreed:
                break
            if following.start - start_s >= _MIN_STRETCH_S:
                cut = (segment.end + following.start) / 2
        return cut


def longest_pause(segments: Sequence[Segment]) -> float | None:
    """The middle of the longest pause between two words in the later half of a hypothesis."""
    words: list[Word] = [word for segment in segments for word in segment.words]
    later = words[len(words) // 2 :]
    pairs = list(pairwise(later))
    if not pairs:
        return None
    before, after = max(pairs, key=lambda pair: pair[1].start - pair[0].end)
    return (before.end + after.start) / 2


def _normal(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())
