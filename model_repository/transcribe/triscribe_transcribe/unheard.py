"""Text that nobody said: words over silence and noise, and the prompt given back as the answer."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .evidence import seconds, within
from .quality import Candidate
from .result import Segment, Word

_FAINT: Final = 0.1
"""Mean probability that the aligner gives to words that it does not find; of 312 chunks of read speech one is below."""

_FAINT_NO_SPEECH: Final = 0.15
_FAINT_LOGPROB: Final = -0.5
"""Whisper's own doubt, which has to be there as well: of words the aligner does not find, sung ones are the surest."""

_NO_SPEECH: Final = 0.5
_LOGPROB: Final = -0.9
"""The doubt that is enough where no aligner can be asked."""

_VOICE: Final = 0.3
"""Below this probability voice detection is sure that nobody speaks."""

_VOICE_S: Final = 0.1
_MARGIN_S: Final = 0.15

_SHORTEST_ECHO: Final = 8
"""Bytes; a shorter text is in a prompt by chance."""

_RUN: Final = 4
_ECHO_SHARE: Final = 0.8
"""So much of an echo is runs of so many letters of the prompt."""

_ALIKE: Final = 0.5
"""Two spellings of the same speech have more than half of their letters in common, in order."""


def is_doubtful(candidate: Candidate, words: Sequence[Word]) -> bool:
    """Whether voice detection has to confirm the words of a segment."""
    if not words or words[0].timing == "attention":
        return candidate.no_speech_prob > _NO_SPEECH or candidate.avg_logprob < _LOGPROB
    unsure = candidate.no_speech_prob > _FAINT_NO_SPEECH or candidate.avg_logprob < _FAINT_LOGPROB
    return unsure and fmean(word.probability for word in words) < _FAINT


def has_voice(segment: Segment, probabilities: NDArray[np.float32]) -> bool:
    """Whether somebody may be speaking during a segment.

    Args:
        segment: with times.
        probabilities: of speech, for each frame of the chunk (`evidence.voice`).
    """
    span = (max(0.0, segment.start - _MARGIN_S), segment.end + _MARGIN_S)
    return seconds(within(probabilities > _VOICE, [span])) >= _VOICE_S


def is_echo(text: str, prompt: str) -> bool:
    """Whether a text is hardly more than words of the prompt, which may come several times."""
    bare, source = _bare(text), _bare(prompt)
    if len(bare.encode()) < _SHORTEST_ECHO or not source:
        return False
    return _taken_from(bare, source * 2) >= _ECHO_SHARE * len(bare)


def _taken_from(text: str, source: str) -> int:
    """How many letters of the text are in runs that stand somewhere in the source, in whatever order."""
    taken = position = 0
    while position < len(text):
        length = 0
        while position + length < len(text) and text[position : position + length + 1] in source:
            length += 1
        taken += length if length >= _RUN else 0
        position += max(length if length >= _RUN else 1, 1)
    return taken


def is_alike(text: str, other: str) -> bool:
    """Whether two texts can be of the same speech."""
    return SequenceMatcher(None, _bare(text), _bare(other), autojunk=False).ratio() > _ALIKE


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
