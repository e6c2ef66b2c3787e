"""A person who repeats and a model that loops write the same text; only the audio tells them apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .evidence import Frames, stretches, within
from .result import Word

_LONGEST_PHRASE: Final = 12
"""Words that come again and again; longer ones do not compress as far as the gate."""

_SPOKEN_SHARE: Final = 0.6
"""Of the time that the words take, so much has to be speech."""

_FOUND: Final = 0.95
"""Share of the words that the aligner has to find."""

_MEAN_PROBABILITY: Final = 0.25
_LOW_PROBABILITY: Final = 0.1
"""Of words that were said, on average and for the tenth least likely: repeated words of one voice reach 0.30 and 0.29;
with one word too many in four they have 0.45 and 0.03."""

_BURSTS: Final = (0.7, 1.1)
"""Repetitions for one stretch of speech between two pauses, where there is no aligner to ask."""

_PAUSE_S: Final = 0.08
"""Longer than the closure of a stop consonant."""

_DOUBLED_WORDS: Final = 4
"""A shorter phrase is said twice as a matter of course."""

_BETTER: Final = 1.5
"""A phrase alone against two copies of it, by the probability of their words. Of 38 sentences each in clean, noisy and
reverberant sound the middle 80 % have 1.5 to 2.0 where they were said once and 1.0 to 1.4 where twice."""

_SQUEEZED: Final = 0.3
"""Without an aligner: a copy in less than this share of the other's time was not said."""


def is_said(words: Sequence[Word], speaking: Frames) -> bool:
    """Whether the audio holds every repetition of a text that repeats itself.

    Args:
        words: the written words with times and probabilities.
        speaking: where somebody speaks.
    """
    spans = [(word.start, word.end) for word in words]
    if not words or within(speaking, spans).mean() < _SPOKEN_SHARE:
        return False
    if any(word.timing == "attention" for word in words):
        bursts = len(stretches(speaking, bridge_s=_PAUSE_S))
        return bursts > 1 and _BURSTS[0] <= repetitions(words) / bursts <= _BURSTS[1]
    found = np.mean([word.timing == "aligned" for word in words])
    probabilities = [word.probability for word in words]
    return bool(
        found >= _FOUND
        and np.mean(probabilities) >= _MEAN_PROBABILITY
        and np.quantile(probabilities, 0.1) >= _LOW_PROBABILITY
    )


def repetitions(words: Sequence[Word]) -> float:
    """How often the phrase comes that a text repeats; 1 for a text that repeats nothing."""
    bare = _bare(words)
    for length in range(1, min(_LONGEST_PHRASE, len(bare) // 2) + 1):
        again = np.mean([one == other for one, other in zip(bare, bare[length:], strict=False)])
        if again >= 0.9:
            return len(bare) / length
    return 1.0


@dataclass(frozen=True)
class Copy:
    """A phrase that stands twice in a row where the audio may hold it once.

    Attributes:
        words: the copy that less speaks for.
        is_sure: whether the times alone show that nobody said it. Else the text without it has to be timed.
        once: where the phrase stands in the text without it.
        found: how well both copies are found in the audio, on average.
    """

    words: slice
    is_sure: bool
    once: slice
    found: float

    def is_better_once(self, words: Sequence[Word]) -> bool:
        """Whether the audio holds the phrase once, by the words of the text without the copy.

        Two copies share the sound of one, however they share it; said twice, one alone is found no better than both.
        """
        return not self.is_sure and _weight(words[self.once]) >= _BETTER * self.found


def written_twice(words: Sequence[Word]) -> Iterator[Copy]:
    """Phrases that stand twice in a row where the audio may hold them once; the longest first."""
    bare = _bare(words)
    for length in range(len(bare) // 2, _DOUBLED_WORDS - 1, -1):
        for first in range(len(bare) - 2 * length + 1):
            middle, last = first + length, first + 2 * length
            if bare[first:middle] != bare[middle:last]:
                continue
            one, other = slice(first, middle), slice(middle, last)
            earlier, later = _weight(words[first:middle]), _weight(words[middle:last])
            weaker, low, high = (one, earlier, later) if earlier < later else (other, later, earlier)
            is_timed_by_attention = "attention" in (words[first].timing, words[middle].timing)
            if not is_timed_by_attention or low < _SQUEEZED * high:
                yield Copy(weaker, is_timed_by_attention, one, (low + high) / 2)


def _weight(words: Sequence[Word]) -> float:
    """What speaks for a copy: how well it is found, or without an aligner how long it lasts."""
    if words[0].timing == "attention":
        return words[-1].end - words[0].start
    return float(np.mean([word.probability for word in words]))


def _bare(words: Sequence[Word]) -> list[str]:
    return ["".join(filter(str.isalnum, word.word.casefold())) for word in words]
