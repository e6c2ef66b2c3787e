"""Times of written words, words to segments."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from sentence_ends import sentence_ends

from .result import Word
from .units import Piece

PAUSE_S = 1.0
"""A silence that ends a segment."""

ATTENTION_BIAS_S = -0.06
"""Cross-attention moves to a token before it is spoken: word starts lie 62 ms early and ends 66 ms (signed medians over
311 hand-labelled English words, whisper base). Taking it off brings the median error from 66 to 47 ms."""

MIN_WORD_S = 0.02
"""One encoder position: no word is shorter."""


def attention_words(
    pieces: Sequence[Piece], token_starts: Sequence[float], token_probs: Sequence[float], duration_s: float
) -> list[Word]:
    """Words timed by Whisper's cross-attention.

    Args:
        pieces: the written words.
        token_starts: seconds at which each text token begins, and the end of the last.
        token_probs: probability of each text token.
        duration_s: no time lies beyond it.
    """
    words = [
        Word(
            piece.word,
            token_starts[piece.first] - ATTENTION_BIAS_S,
            token_starts[piece.last] - ATTENTION_BIAS_S,
            fmean(token_probs[piece.first : piece.last]),
            "attention",
        )
        for piece in pieces
    ]
    return ordered(words, duration_s)


def ordered(words: Sequence[Word], duration_s: float) -> list[Word]:
    """The words with monotone times inside [0, duration], each at least `MIN_WORD_S` long where there is room."""
    result: list[Word] = []
    earliest = 0.0
    for index, word in enumerate(words):
        # What the words still to come need is kept free, so that a late word cannot push them out of the chunk.
        latest = max(earliest, duration_s - MIN_WORD_S * (len(words) - index))
        start = min(max(word.start, earliest), latest)
        room = max(start, min(duration_s, latest + MIN_WORD_S))
        end = min(max(word.end, start + MIN_WORD_S), room)
        result.append(Word(word.word, start, end, word.probability, word.timing))
        earliest = end
    return result


def cut_segments(words: Sequence[Word], texts: Sequence[str], language: str) -> list[slice]:
    """Sentences, cut at long pauses too, as slices of `words`.

    Args:
        words: with their times.
        texts: each word as it stands in the text, the space before it included.
        language: of the text.
    """
    ends = sentence_ends(texts, language)
    starts = [
        index
        for index, word in enumerate(words)
        if index == 0 or ends[index - 1] or word.start - words[index - 1].end > PAUSE_S
    ]
    stops = [*starts[1:], len(words)] if starts else []
    return [slice(first, last) for first, last in zip(starts, stops, strict=True)]
