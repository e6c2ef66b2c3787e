"""Where sentences end: one answer for the server, which parts text into segments, and for subtitles.

The boundaries are Unicode's (UAX 29), found by ICU. Those after an abbreviation are taken back: CLDR lists the
abbreviations of some languages (`cldr.toml`), `ours.toml` mends these lists for speech, and a few patterns hold for
every language. ICU could apply CLDR's lists by itself (`@ss=standard`), but it takes the "r." of "er." for one, too.

A package of its own, since the client knows nothing of the server's models, nor they of it.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from itertools import accumulate
from typing import Any

from icu4py.breakers import SentenceBreaker

# To Unicode an ellipsis or a Tibetan shad ends nothing; to readers they do what a full stop does. One character each,
# so that offsets stay. ICU takes no half of a character.
_FOR_ICU = str.maketrans({"…": ".", "‥": ".", "⋯": ".", "།": "。", "༎": "。"}) | dict.fromkeys(
    range(0xD800, 0xE000), "\ufffd"
)

# Letters with full stops: U.K., z.B., т.е. And one letter: J. Smith.
_LETTERS = r"(?P<letters>[^\W\d_]\.(?:[^\W\d_]\.)+)"
_INITIAL = r"(?P<initial>[^\W\d_]\.)"
_ORDINAL = r"(?:\d{1,2}|[IVX]+)\."

# Scripts without capital letters that write initials.
_HEBREW_OR_ARABIC = re.compile(r"[\u05d0-\u05ea\u0620-\u06d3]")

_ICU_LANGUAGE = re.compile(r"[a-z]{2,3}")


def sentence_ends(parts: Sequence[str], language: str | None) -> list[bool]:
    """For each part of a text, whether a sentence ends with it.

    A full stop before a small letter ends none, one before a capital letter does, unless it belongs to an
    abbreviation, to initials, or to an ordinal number; other stops always do, closing quotes and brackets included.

    Args:
        parts: words, say, which make up the text; the spaces between them belong to the parts after them.
        language: of the text, as Whisper's code (which may not be that of the speech); None: unknown.

    Returns:
        As many as there are parts; the last one is True, since the text ends there.
    """
    text = "".join(parts)
    begins = set(_boundaries(text, language or ""))
    offsets = list(accumulate(len(part) for part in parts))
    following = [len(part) - len(part.lstrip()) for part in parts[1:]]
    ends = [offset + spaces in begins for offset, spaces in zip(offsets, following, strict=False)]
    for i, part in enumerate(parts[1:-1], start=1):
        if ends[i - 1] and _closes(part):  # as French writes: « Oui. »
            ends[i - 1 : i + 1] = False, True
    return [*ends, True] if parts else []


def _closes(part: str) -> bool:
    marks = part.strip()
    return bool(marks) and all(unicodedata.category(mark) in ("Pe", "Pf") for mark in marks)


def _boundaries(text: str, language: str) -> Iterator[int]:
    """The offsets at which a sentence begins, but for the first."""
    suppressed = {
        offset
        for match in _abbreviations(language).finditer(text)
        if _is_abbreviation(match)
        for offset in range(match.start() + 1, _after_spaces(text, match.end()) + 1)
    }
    # Not .segments(): its offsets count UTF-16. An unknown locale is the root's.
    locale = language if _ICU_LANGUAGE.fullmatch(language) else "root"
    for offset in accumulate(len(sentence) for sentence in SentenceBreaker(text.translate(_FOR_ICU), locale)):
        if offset < len(text) and offset not in suppressed:
            yield offset


def _is_abbreviation(match: re.Match[str]) -> bool:
    """Words may be of one small letter: Era eu que o é. A word of Chinese is of one character more often than not."""
    letter = match[0][0]
    if match.lastgroup == "initial":
        return letter.isupper() or bool(_HEBREW_OR_ARABIC.match(letter))
    return match.lastgroup is None or letter.upper() != letter.lower() or bool(_HEBREW_OR_ARABIC.match(letter))


def _after_spaces(text: str, offset: int) -> int:
    while offset < len(text) and text[offset].isspace():
        offset += 1
    return offset


@cache
def _abbreviations(language: str) -> re.Pattern[str]:
    """What ends no sentence though a full stop ends it, as whole words."""
    cldr, ours = _table("cldr.toml"), _table("ours.toml")
    words = {*ours["everywhere"], *cldr.get(language, ()), *ours["also"].get(language, ())}
    exceptions = ours["ends"].get(language, ())
    before_words = rf"(?!(?:{_any(exceptions)})(?![\w.]))" if exceptions else ""
    patterns = [
        rf"(?:{_any(ours['before_numbers'])})(?=\s*\d)",
        *([_ORDINAL] if language in ours["ordinals"] else []),
        rf"{before_words}(?:{_any(words)}|{_LETTERS}|{_INITIAL})",
    ]
    return re.compile(rf"(?<![\w.])(?:{'|'.join(patterns)})(?![\w.])")


def _any(words: Sequence[str] | set[str]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", r"\s") for word in sorted(words, key=len, reverse=True))


@cache
def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__) / name).read_text(encoding="utf-8"))
