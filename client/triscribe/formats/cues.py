"""Subtitle cues: which words appear together, on which lines, and when.

The line rules are those of the common style guides (Netflix Timed Text, BBC): two lines of 42 characters, at most
7 s, broken at punctuation and pauses. Full-width characters count as two columns, so CJK lines hold 21.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, pairwise

from triscribe.errors import UsageError
from triscribe.formats.base import clean, milliseconds
from triscribe.types import Segment, Transcript

# Scripts without spaces break between any two characters, but not before closing punctuation.
_WIDE = r"[\u2e80-\u9fff\uff01-\uff9f]"
_BREAKABLE = re.compile(rf"{_WIDE}[、。，．！？…：；」』）〉》】]*|(?:(?!{_WIDE})\S)+")

_SENTENCE_END = re.compile(r"[.!?…。！？؟।]['\")\]»”’」』）]*$")
_CLAUSE_END = re.compile(r"[,;:—、，；：،–-]['\")\]»”’」』）]*$")

# What a break costs, against 1 for each cue: cheap where a reader pauses anyway.
_AFTER_SENTENCE, _AFTER_CLAUSE, _AT_PAUSE, _ANYWHERE = 0.0, 0.4, 0.3, 1.0
_SHORT_CUE = 0.5


@dataclass(frozen=True, slots=True)
class CueRules:
    """Limits of a cue.

    Attributes:
        line_width: columns of a line.
        max_lines: lines of a cue.
        max_s: seconds on screen at most.
        min_s: seconds on screen at least, where the next cue leaves room.
        pause_s: a pause from which a break is welcome.
        gap_s: a pause that no cue spans.
    """

    line_width: int = 42
    max_lines: int = 2
    max_s: float = 7.0
    min_s: float = 0.8
    pause_s: float = 0.4
    gap_s: float = 2.0

    def __post_init__(self) -> None:
        if self.line_width < 2 or self.max_lines < 1 or self.max_s <= 0 or self.min_s < 0:
            raise UsageError("a cue needs at least one line of two columns and some time on screen")


DEFAULT_RULES = CueRules()


@dataclass(frozen=True, slots=True)
class Cue:
    """Text on screen from `start_ms` to `end_ms`, milliseconds from the start of the file."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None


@dataclass(frozen=True, slots=True)
class _Token:
    """What no line break may divide. `space` says whether one precedes it; times are seconds."""

    text: str
    space: bool
    start: float
    end: float
    speaker: str | None

    @property
    def width(self) -> int:
        return _width(self.text)


def cues(transcript: Transcript, rules: CueRules, *, name_speakers: bool) -> list[Cue]:
    """Lays a transcript out as cues.

    Args:
        transcript: with or without word times; without, a segment's time is shared out by length of text.
        rules: limits.
        name_speakers: put `SPEAKER_00: ` before the first words after a change of speaker.

    Returns:
        Cues in order, none empty, none overlapping; every word is in exactly one.
    """
    drafts: list[tuple[list[_Token], tuple[str, ...]]] = []
    last_speaker = None
    for segment in transcript.segments:
        for speaker, run in groupby(_tokens(segment), key=lambda token: token.speaker):
            tokens = [piece for token in run for piece in _pieces(token, rules.line_width)]
            if name_speakers and speaker is not None and speaker != last_speaker:
                tokens[0] = replace(tokens[0], text=f"{clean(speaker)}: {tokens[0].text}")
            last_speaker = speaker
            drafts += ((group, _lines(group, rules)) for group in _groups(tokens, rules))
    return _timed(drafts, rules, transcript.audio.duration)


def _tokens(segment: Segment) -> list[_Token]:
    text = clean(segment.text)
    words = [(cleaned, word) for word in segment.words if (cleaned := clean(word.word))]
    if not words:
        return _untimed_tokens(text, segment)
    written = _as_written(text, [cleaned for cleaned, _ in words])
    return [
        _Token(shown, space, word.start, word.end, word.speaker or segment.speaker)
        for (space, shown), (_, word) in zip(written, words, strict=True)
    ]


def _as_written(text: str, words: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Each word with whether a space precedes it in the text, and the punctuation that belongs to no word."""
    cursor = 0
    for i, word in enumerate(words):
        at = text.find(word, cursor)
        between = text[cursor:at] if at >= 0 else ""
        if at < 0 or any(char.isalnum() for char in between):
            yield True, word  # not where it should be: the text and the words disagree
            continue
        cursor = at + len(word)
        rest = text[cursor:] if i == len(words) - 1 else ""
        tail = "" if any(char.isalnum() for char in rest) else rest
        yield between[:1].isspace() or between[-1:].isspace(), between.lstrip() + word + tail


def _untimed_tokens(text: str, segment: Segment) -> list[_Token]:
    matches = list(_BREAKABLE.finditer(text))
    step = (segment.end - segment.start) / max(1, len(text))
    return [
        _Token(
            match[0],
            text[match.start() - 1 : match.start()] == " ",
            segment.start + step * match.start(),
            segment.start + step * match.end(),
            segment.speaker,
        )
        for match in matches
    ]


def _pieces(token: _Token, width: int) -> list[_Token]:
    """The token, in several pieces if it is wider than a line."""
    if token.width <= width:
        return [token]
    texts = [""]
    for char in token.text:
        if _width(texts[-1] + char) > width:
            texts.append("")
        texts[-1] += char
    step = (token.end - token.start) / len(token.text)
    pieces, at = [], 0
    for i, text in enumerate(texts):
        start = token.start + step * at
        at += len(text)
        pieces.append(_Token(text, token.space and i == 0, start, token.start + step * at, token.speaker))
    return pieces


def _groups(tokens: Sequence[_Token], rules: CueRules) -> list[list[_Token]]:
    """Tokens of one speaker parted into cues at the least total cost (dynamic programming over the break points)."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(tokens) + 1):
        break_cost = _break_cost(tokens, end, rules)
        options = []
        columns = 0
        for start in range(end - 1, -1, -1):
            columns += tokens[start].width + tokens[start].space
            if start < end - 1 and not _fits(tokens[start:end], columns, rules):
                break
            short = _SHORT_CUE if columns < rules.line_width // 3 else 0.0
            options.append((best[start][0] + 1.0 + break_cost + short, start))
        best.append(min(options))
    groups = []
    end = len(tokens)
    while end:
        start = best[end][1]
        groups.append(list(tokens[start:end]))
        end = start
    return groups[::-1]


def _break_cost(tokens: Sequence[_Token], end: int, rules: CueRules) -> float:
    if end == len(tokens) or _SENTENCE_END.search(tokens[end - 1].text):
        return _AFTER_SENTENCE
    if tokens[end].start - tokens[end - 1].end >= rules.pause_s:
        return _AT_PAUSE
    return _AFTER_CLAUSE if _CLAUSE_END.search(tokens[end - 1].text) else _ANYWHERE


def _fits(group: Sequence[_Token], columns: int, rules: CueRules) -> bool:
    if group[-1].end - group[0].start > rules.max_s or group[1].start - group[0].end >= rules.gap_s:
        return False
    return columns <= rules.line_width or len(_wrapped(group, rules.line_width)) <= rules.max_lines


def _wrapped(group: Sequence[_Token], width: int) -> list[str]:
    lines: list[str] = []
    used = 0
    for token in group:
        needed = token.width + token.space
        if lines and used + needed <= width:
            lines[-1] += f" {token.text}" if token.space else token.text
            used += needed
        else:
            lines.append(token.text)
            used = token.width
    return lines


def _lines(group: Sequence[_Token], rules: CueRules) -> tuple[str, ...]:
    """The fewest lines, about equally long."""
    fewest = _wrapped(group, rules.line_width)
    total = sum(token.width + token.space for token in group)
    for width in range(total // len(fewest), rules.line_width):
        balanced = _wrapped(group, width)
        if len(balanced) == len(fewest):
            return tuple(balanced)
    return tuple(fewest)


def _timed(drafts: Sequence[tuple[list[_Token], tuple[str, ...]]], rules: CueRules, duration: float) -> list[Cue]:
    # Starts strictly increase, so that no cue is empty when it ends where the next one starts.
    timed: list[Cue] = []
    for tokens, lines in drafts:
        start_ms = max(milliseconds(tokens[0].start), timed[-1].start_ms + 1 if timed else 0)
        end_ms = min(milliseconds(tokens[-1].end), start_ms + milliseconds(rules.max_s))
        if end_ms - start_ms < milliseconds(rules.min_s):
            end_ms = max(end_ms, min(start_ms + milliseconds(rules.min_s), milliseconds(duration)))
        timed.append(Cue(start_ms, max(end_ms, start_ms + 1), lines, tokens[0].speaker))
    ends = [min(cue.end_ms, following.start_ms) for cue, following in pairwise(timed)]
    return [replace(cue, end_ms=end) for cue, end in zip(timed, ends, strict=False)] + timed[-1:]


@lru_cache(maxsize=2**16)
def _width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in text)
