"""The text of one item, which only grows: what was sent stays, so that the deltas are the transcript."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from triscribe.spacing import needs_space
from triscribe.types import Segment

_LEAST_PROBABILITY = 1e-10


@dataclass(frozen=True, slots=True)
class Piece:
    """A word as it is sent, the space before it and the punctuation behind it included; seconds of the stream."""

    text: str
    probability: float
    start: float
    end: float

    def logprob(self) -> dict[str, Any]:
        """As OpenAI tells the probability of a token."""
        probability = max(self.probability, _LEAST_PROBABILITY)
        return {"token": self.text, "bytes": list(self.text.encode()), "logprob": math.log(probability)}


class ItemText:
    """Takes finals and interims; returns what is to be sent.

    Words of an interim are sent where the one before it had them, too, to the letter. They stay, even where the final
    says something else: then only what follows them in it is sent.
    """

    def __init__(self) -> None:
        self._settled: list[Piece] = []
        self._early: list[Piece] = []
        self._last: list[Piece] = []
        self._language = ""

    @property
    def pieces(self) -> list[Piece]:
        """All that was sent."""
        return self._settled + self._early

    def settle(self, segments: Sequence[Segment]) -> list[Piece]:
        """What the next final segments add."""
        final = self._pieces(segments)
        early, self._early, self._last = self._early, [], []
        same = _common(early, final, _normal)
        if same == min(len(early), len(final)):
            kept, self._early, new = early[:same], early[same:], final[same:]
        else:
            until = segments[-1].end
            kept = [piece for piece in early if piece.start < until]
            self._early = early[len(kept) :]
            new = [] if self._early else [piece for piece in final if piece.start >= early[-1].end]
        self._settled += kept + new
        self._language = segments[-1].language
        return new

    def look(self, segments: Sequence[Segment]) -> list[Piece]:
        """What an interim adds."""
        last, self._last = self._last, self._pieces(segments)
        agreed = self._last[: _common(last, self._last, _written)]
        known = len(self._early)
        if _common(self._early, agreed, _normal) < known:
            return []
        new = agreed[known:]
        self._early += new
        return new

    def _pieces(self, segments: Iterable[Segment]) -> list[Piece]:
        """The words of segments that follow what is settled; a segment without words is one."""
        found: list[Piece] = []
        before = self._settled[-1].text if self._settled else ""
        language = self._language
        for segment in segments:
            text = segment.text.strip()
            if not text:
                continue
            space = " " if before and needs_space(before, text, {language, segment.language}) else ""
            found += _words(segment, text, space)
            before, language = text, segment.language
        return found


def _words(segment: Segment, text: str, space: str) -> list[Piece]:
    if not segment.words:
        return [Piece(space + text, math.exp(min(segment.avg_logprob, 0.0)), segment.start, segment.end)]
    pieces, position = [], 0
    for number, word in enumerate(segment.words, 1):
        written = word.word.strip()
        at = text.find(written, position)
        end = len(text) if number == len(segment.words) else position if at < 0 else at + len(written)
        pieces.append(Piece(space + text[position:end], word.probability, word.start, word.end))
        position, space = end, ""
    return pieces


def _common(left: Sequence[Piece], right: Sequence[Piece], read: Callable[[Piece], str]) -> int:
    """How many of the first words are the same."""
    count = 0
    for ours, theirs in zip(left, right, strict=False):
        if read(ours) != read(theirs):
            break
        count += 1
    return count


def _written(piece: Piece) -> str:
    return piece.text


def _normal(piece: Piece) -> str:
    """Without the punctuation and capitals, which change with what follows."""
    return "".join(filter(str.isalnum, piece.text.casefold()))
