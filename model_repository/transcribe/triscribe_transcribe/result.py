"""The pieces of a result, as they stand in the JSON (docs/contracts.md). Times are seconds from the chunk's start."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

Timing = Literal["aligned", "attention", "interpolated"]


@dataclass(frozen=True)
class Word:
    """One written word."""

    word: str
    start: float
    end: float
    probability: float
    timing: Timing


@dataclass(frozen=True)
class Segment:
    """A sentence, or the stretch between two pauses; the scores are those of the decoded text it comes from."""

    start: float
    end: float
    text: str
    language: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float
    words: tuple[Word, ...] = ()
    language_probability: float = 1.0


@dataclass(frozen=True)
class Warning_:  # noqa: N801 - `Warning` is a builtin
    """Something the caller should know about a stretch of the chunk."""

    code: str
    message: str
    start: float
    end: float


@dataclass(frozen=True)
class Result:
    """What is known of one chunk."""

    language: str
    language_probability: float
    languages: dict[str, float] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    warnings: tuple[Warning_, ...] = ()


def shift(result: Result, offset_s: float) -> Result:
    """The same result for a piece that starts `offset_s` later."""
    segments = tuple(
        replace(
            segment,
            start=segment.start + offset_s,
            end=segment.end + offset_s,
            words=tuple(replace(w, start=w.start + offset_s, end=w.end + offset_s) for w in segment.words),
        )
        for segment in result.segments
    )
    warnings = tuple(replace(w, start=w.start + offset_s, end=w.end + offset_s) for w in result.warnings)
    return replace(result, segments=segments, warnings=warnings)
