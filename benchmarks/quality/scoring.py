"""Errors of texts: normalised as in the Whisper paper, counted by kind, differences with paired bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jiwer
import numpy as np
import opencc
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

CHARACTER_LANGUAGES = {"zh", "ja", "yue", "th", "lo", "km", "my"}
CHINESE = {"zh", "yue"}

SENTENCE_WORDS = 5
"""A stretch of so many words that stands twice in a row is a doubled sentence."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Errors:
    """Of one text against its reference, in words (or characters)."""

    substituted: int = 0
    deleted: int = 0
    inserted: int = 0
    units: int = 0

    def __add__(self, other: Errors) -> Errors:
        """Of both texts together."""
        return Errors(
            self.substituted + other.substituted,
            self.deleted + other.deleted,
            self.inserted + other.inserted,
            self.units + other.units,
        )

    @property
    def count(self) -> int:
        """Errors of every kind."""
        return self.substituted + self.deleted + self.inserted

    @property
    def percent(self) -> float:
        """The error rate."""
        return 100 * self.count / max(1, self.units)


@dataclass(frozen=True)
class Interval:
    """A difference in points, and the 95 % interval of the bootstrap."""

    difference: float
    low: float
    high: float

    def __str__(self) -> str:
        """As tables show it."""
        return f"{self.difference:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


@cache
def normaliser(language: str) -> Callable[[str], str]:
    """Case, punctuation and spelling folded, as for the Whisper paper, and Chinese scripts."""
    chosen: Any = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
    if language in CHINESE:
        simplified = opencc.OpenCC("t2s")
        return lambda text: str(chosen(simplified.convert(text)))
    return lambda text: str(chosen(text))


def units_of(language: str, text: str) -> list[str]:
    """Words, or characters where words are not written apart."""
    text = normaliser(language)(text)
    return list(text.replace(" ", "")) if language in CHARACTER_LANGUAGES else text.split()


def errors(language: str, reference: str, text: str) -> Errors:
    """Of one text."""
    expected, found = units_of(language, reference), units_of(language, text)
    if not found:
        return Errors(deleted=len(expected), units=len(expected))
    counted = jiwer.process_words(" ".join(expected), " ".join(found))
    return Errors(counted.substitutions, counted.deletions, counted.insertions, len(expected))


def scorer(language: str) -> Callable[[Sequence[str], Sequence[str]], float]:
    """Error rate over all recordings of a language, as a share."""

    def score(references: Sequence[str], texts: Sequence[str]) -> float:
        pairs = zip(references, texts, strict=True)
        return sum((errors(language, *pair) for pair in pairs), Errors()).percent / 100

    return score


def recall(reference: str, hypothesis: str) -> float:
    """Share of reference words that the hypothesis has in its place."""
    counted = errors("en", reference, hypothesis)
    return 1 - (counted.substituted + counted.deleted) / counted.units


def doubled(language: str, text: str) -> int:
    """How often a stretch of several words stands twice in a row."""
    units = units_of(language, text)
    least = SENTENCE_WORDS if language not in CHARACTER_LANGUAGES else 2 * SENTENCE_WORDS
    count = start = 0
    while start < len(units):
        longest = (len(units) - start) // 2
        length = next((n for n in range(longest, least - 1, -1) if _is_double(units, start, n)), 0)
        count += length > 0
        start += max(1, length)
    return count


def _is_double(units: Sequence[str], start: int, length: int) -> bool:
    return units[start : start + length] == units[start + length : start + 2 * length]


def difference(these: Mapping[str, Errors], those: Mapping[str, Errors], groups: Mapping[str, str]) -> Interval:
    """These less those, over the same recordings.

    Args:
        these: errors of each recording by its name.
        those: the same recordings.
        groups: what is drawn together, such as the recordings of one speaker: they err alike.
    """
    names = sorted(these)
    members = sorted({groups[name] for name in names})
    row = {group: number for number, group in enumerate(members)}
    sums = np.zeros((len(members), 3))
    for name in names:
        sums[row[groups[name]]] += (these[name].count, those[name].count, these[name].units)
    drawn = np.random.default_rng(0).integers(0, len(members), (RESAMPLES, len(members)))
    totals = sums[drawn].sum(axis=1)  # (RESAMPLES, 3)
    low, high = np.percentile(100 * (totals[:, 0] - totals[:, 1]) / totals[:, 2], (2.5, 97.5))
    total = sums.sum(axis=0)
    return Interval(float(100 * (total[0] - total[1]) / total[2]), float(low), float(high))
