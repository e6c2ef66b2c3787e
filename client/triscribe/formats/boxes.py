"""Words as they are shown, and boxes: what no line break may divide.

Lines may break at spaces, between the words or characters of scripts that write none, and after hyphens. What may
not begin or end a line follows the Japanese and Chinese rules (JIS X 4051 / GB/T 15834, "kinsoku"): no closing
punctuation, small kana or length mark at the start, no opening bracket at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import wcwidth

from triscribe.spacing import CJK, SPACELESS, clean
from triscribe.types import Segment

_NOT_FIRST = re.compile(
    r"[、。，．！？!?,.:;%…‥：；·・」』）〉》】〕］｝)\]}»”’ー～ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々ゝゞ]"
)
_NOT_LAST = re.compile(r"[「『（〈《【〔［｛(\[{«“‘¿¡]")
_AFTER = re.compile(r"[-‐–—/]")
# A CJK character by itself, or a run of anything else.
_ATOM = re.compile(rf"[{CJK}]|[^\s{CJK}]+")


@dataclass(frozen=True, slots=True)
class ShownWord:
    """A word with the punctuation that belongs to it.

    `space` says whether one precedes it. Times are seconds of the file; without `timed` they were shared out by
    length of text. A word wider than a line is several of these. `ends_sentence` is for who lays cues out.
    """

    text: str
    space: bool
    start: float
    end: float
    speaker: str | None
    timed: bool
    ends_sentence: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """Words that stay on one line."""

    words: tuple[ShownWord, ...]
    width: int

    @property
    def space(self) -> bool:
        """Whether a space precedes it."""
        return self.words[0].space

    @property
    def text(self) -> str:
        """The words, with the spaces between them."""
        return joined(self.words)

    @property
    def start(self) -> float:
        """Seconds at which its first word starts."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """Seconds at which its last word ends."""
        return self.words[-1].end


def joined(words: Sequence[ShownWord]) -> str:
    """The text of words on one line."""
    return "".join(f" {word.text}" if word.space and i else word.text for i, word in enumerate(words))


@lru_cache(maxsize=2**16)
def columns(text: str) -> int:
    """Columns that text takes on a terminal or a subtitle line: 2 for a full-width character, 0 for a mark."""
    return wcwidth.width(text, control_codes="ignore")


def shown_words(segment: Segment) -> list[ShownWord]:
    """The words of a segment as its text writes them; without word times, pieces of its text."""
    text = clean(segment.text)
    words = [(cleaned, word) for word in segment.words if (cleaned := clean(word.word))]
    if not words:
        return _untimed(text, segment)
    written = _as_written(text, [cleaned for cleaned, _ in words])
    return [
        ShownWord(shown, space, word.start, word.end, word.speaker or segment.speaker, timed=True)
        for (space, shown), (_, word) in zip(written, words, strict=True)
    ]


def _as_written(text: str, words: Sequence[str]) -> list[tuple[bool, str]]:
    """Each word with whether a space precedes it in the text, and the punctuation that belongs to no word."""
    written: list[tuple[bool, str]] = []
    cursor = at = 0
    for word in words:
        at = text.find(word, cursor)
        between = text[cursor:at] if at >= 0 else ""
        if at < 0 or any(char.isalnum() for char in between):
            at = -1  # not where it should be: the text and the words disagree
            written.append((True, word))
            continue
        cursor = at + len(word)
        tail, space, head = _parted(between)
        if written and tail:
            written[-1] = (written[-1][0], written[-1][1] + tail)
        elif tail:
            space, head = False, f"{tail} {head}" if space else tail + head
        written.append((space, head + word))
    rest = text[cursor:]
    if at >= 0 and not any(char.isalnum() for char in rest):
        written[-1] = (written[-1][0], written[-1][1] + rest)
    return written


def _parted(between: str) -> tuple[str, bool, str]:
    """What lies between two words: the part of the first, whether there is a space, the part of the second."""
    before, space, after = between.rpartition(" ")
    if space:
        return before.strip(), True, after
    opening = re.search(rf"{_NOT_LAST.pattern}+$", between)
    at = opening.start() if opening else len(between)
    return between[:at], False, between[at:]


def _untimed(text: str, segment: Segment) -> list[ShownWord]:
    step = (segment.end - segment.start) / max(1, len(text))
    return [
        ShownWord(
            match[0],
            text[match.start() - 1 : match.start()] == " ",
            segment.start + step * match.start(),
            segment.start + step * match.end(),
            segment.speaker,
            timed=False,
        )
        for match in _ATOM.finditer(text)
    ]


def boxes(words: Iterable[ShownWord], width: int) -> list[Box]:
    """Packs words of one speaker into boxes of at most `width` columns; every character stays, in order."""
    packed: list[Box] = []
    for word in words:
        for piece in _pieces(word, width):
            box = Box((piece,), columns(piece.text))
            if packed and _inseparable(packed[-1].words[-1], piece):
                total = packed[-1].width + piece.space + box.width
                if total <= width:
                    packed[-1] = Box((*packed[-1].words, piece), total)
                    continue
            packed.append(box)
    return packed


def _inseparable(left: ShownWord, right: ShownWord) -> bool:
    if right.space:  # as French writes " ?" and " !"
        return bool(_NOT_FIRST.match(right.text)) and not any(char.isalnum() for char in right.text)
    if _NOT_FIRST.match(right.text) or _NOT_LAST.match(left.text[-1]):
        return True
    breakable = SPACELESS.match(left.text[-1]) or SPACELESS.match(right.text) or _AFTER.match(left.text[-1])
    return not breakable


def _pieces(word: ShownWord, width: int) -> list[ShownWord]:
    """The word; in several pieces, its time shared out by length, if it is wider than a line."""
    if columns(word.text) <= width:
        return [word]
    texts = [piece for atom in _ATOM.findall(word.text) for piece in _cut(atom, width)]
    step = (word.end - word.start) / len(word.text)
    pieces: list[ShownWord] = []
    at = 0
    for text in texts:
        space = word.text[at : at + 1] == " "
        at += space
        start = word.start + step * at
        at += len(text)
        space = space if pieces else word.space
        end = word.start + step * at
        pieces.append(replace(word, text=text, space=space, start=start, end=end, ends_sentence=False))
    return [*pieces[:-1], replace(pieces[-1], ends_sentence=word.ends_sentence)]


def _cut(text: str, width: int) -> Iterator[str]:
    """Parts of at most `width` columns; what is written as one character stays whole."""
    part = ""
    for grapheme in wcwidth.iter_graphemes(text):
        if part and columns(part + grapheme) > width:
            yield part
            part = ""
        part += grapheme
    yield part
