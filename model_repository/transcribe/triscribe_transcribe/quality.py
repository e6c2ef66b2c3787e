"""Judging a decoded text: the gates of openai/whisper, and the guard for a shortened encoder context."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from faster_whisper.transcribe import get_compression_ratio

from .options import Options

MAX_TOKENS_PER_SECOND = 12.0
"""No language is spoken faster: the fastest 30 s of the development data have 8 tokens a second."""

SHORT_TEXT = 16
"""The compression ratio of a text shorter than this says nothing."""


HOPELESS_LOGPROB = -2.0
"""Below it there was nothing to understand: of texts that failed on all steps, those of noise, applause and music have
-1.0 to -4.5, and the least sure of 101 segments of real speech has -0.7."""

DOUBTFUL_NO_SPEECH = 0.3
"""If every temperature failed and `no_speech_prob` is at least this, drop the text. Real speech reaches 0.43, but then
passes at least one step."""


class Verdict(Enum):
    """What to do with a text."""

    GOOD = "good"
    NO_SPEECH = "no_speech"
    REPETITIVE = "repetitive"
    TOO_DENSE = "too_dense"
    LOW_CONFIDENCE = "low_confidence"
    LIMIT = "limit"


@dataclass(frozen=True)
class Candidate:
    """One attempt at a chunk."""

    text: str
    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float
    limit_reached: bool
    temperature: float

    @property
    def compression_ratio(self) -> float:
        """Bytes of the text over bytes of its zlib form; loops compress well."""
        return float(get_compression_ratio(self.text)) if self.text else 0.0


def judge(candidate: Candidate, duration_s: float, options: Options) -> Verdict:
    """Whether the text can be trusted, and if not, why."""
    if candidate.no_speech_prob > options.no_speech_threshold and candidate.avg_logprob < options.log_prob_threshold:
        return Verdict.NO_SPEECH
    if len(candidate.text) >= SHORT_TEXT and candidate.compression_ratio > options.compression_ratio_threshold:
        return Verdict.REPETITIVE
    if candidate.limit_reached:
        return Verdict.LIMIT
    if len(candidate.tokens) > 8 + MAX_TOKENS_PER_SECOND * duration_s:
        return Verdict.TOO_DENSE
    if candidate.avg_logprob < options.log_prob_threshold:
        return Verdict.LOW_CONFIDENCE
    return Verdict.GOOD


def best(candidates: list[tuple[Candidate, Verdict]]) -> tuple[Candidate, Verdict]:
    """The least bad of several attempts that all failed: no loop first, then the higher log-probability."""
    broken = (Verdict.REPETITIVE, Verdict.TOO_DENSE)
    return max(candidates, key=lambda pair: (pair[1] not in broken, pair[0].avg_logprob))


def is_made_up(candidate: Candidate, verdict: Verdict, options: Options) -> bool:
    """Whether the best of several attempts that all failed says more about the model than about the audio.

    It is left out then, with a warning: what looks like noise at every temperature is noise. A caller who moves
    `no_speech_threshold` to 1 switches this off, as he does the gate of openai/whisper.
    """
    if verdict is not Verdict.LOW_CONFIDENCE or options.no_speech_threshold == 1:
        return False
    hopeless = min(HOPELESS_LOGPROB, options.log_prob_threshold)
    return candidate.avg_logprob < hopeless or candidate.no_speech_prob > min(
        DOUBTFUL_NO_SPEECH, options.no_speech_threshold
    )


MESSAGES = {
    Verdict.REPETITIVE: "the text repeats itself and may be a loop of the model",
    Verdict.TOO_DENSE: "more text than anybody could have said in this time",
    Verdict.LOW_CONFIDENCE: "the model is unsure of this text",
    Verdict.LIMIT: "the text was cut off at the model's token limit",
}
"""What a warning says of a text that failed on every step."""
