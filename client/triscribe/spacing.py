"""Spaces in text: whether one is written between two pieces, and text on one line.

Imports nothing of the package: the transcript itself asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

CJK = "\u2e80-\u312f\u3190-\u9fff\uf900-\ufaff\uff01-\uff9f\uffe0-\uffe6\U00020000-\U0003ffff"
"""Ideographs, kana, Bopomofo and full-width forms, as a range of a regular expression. Not Hangul: neither its
compatibility letters (U+3131 to U+318E, as in ㅋㅋㅋ) nor its half-width ones, since Korean writes spaces."""

SPACELESS = re.compile(rf"[\u0e00-\u109f\u1780-\u17ff{CJK}]")
"""A character of a script without spaces: Thai, Lao, Tibetan, Myanmar, Khmer, and `CJK`."""

# Whitespace of every kind, and control characters, which no text format carries.
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")

_LANGUAGES = {"zh", "yue", "ja", "th", "lo", "my", "km", "bo"}
"""Languages that write none."""


def needs_space(left: str, right: str, languages: Set[str]) -> bool:
    """Whether a space belongs between two texts, neither of which is empty, of these languages.

    None belongs between two characters of scripts without spaces; within languages that write none, a Latin word or
    an ASCII full stop touches what is beside it, too.
    """
    spaceless = [bool(SPACELESS.match(left[-1])), bool(SPACELESS.match(right[0]))]
    return not (all(spaceless) or (any(spaceless) and languages <= _LANGUAGES))


def joined(parts: Iterable[tuple[str, str]]) -> str:
    """Texts, each with its language, one after the other; what is only white space is left out."""
    text, language_before = "", ""
    for part, language in parts:
        following = part.strip()
        if not following:
            continue
        if text and needs_space(text, following, {language_before, language}):
            text += " "
        text += following
        language_before = language
    return text


def clean(text: str) -> str:
    """The text on one line: whitespace, line breaks, tabs and control characters become single spaces."""
    return _BREAKS.sub(" ", text).strip()
