"""How numbers are spoken. The only module that imports num2words."""

from __future__ import annotations

import re
from typing import Final

from num2words import num2words

from .errors import AlignError

_LONGEST: Final = 15
"""Digits beyond which a number is read digit by digit."""


def cardinal(number: str, language: str) -> tuple[str, ...]:
    """A whole number: "42" → forty two. Without a rule for the language: nothing."""
    return _words(number, language, "cardinal")


def ordinal(number: str, language: str) -> tuple[str, ...]:
    """A rank: "21" → twenty first."""
    return _words(number, language, "ordinal")


def year(number: str, language: str) -> tuple[str, ...]:
    """A year: "1984" → nineteen eighty four."""
    return _words(number, language, "year")


def digits(number: str, language: str) -> tuple[str, ...]:
    """Digit by digit: "007" → zero zero seven."""
    return tuple(word for digit in number for word in _words(digit, language, "cardinal"))


def pairs(number: str, language: str) -> tuple[str, ...]:
    """In pairs from the right: "350" → three fifty, "1984" → nineteen eighty four."""
    head, tail = number[:-2], number[-2:]
    return (*_words(head, language, "cardinal"), *_words(tail, language, "cardinal"))


def is_year(number: str) -> bool:
    """Whether a written number may be a year: four digits from 1100 to 2099."""
    return len(number) == 4 and 1100 <= int(number) <= 2099


def _words(number: str, language: str, form: str) -> tuple[str, ...]:
    if len(number) > _LONGEST:
        return digits(number, language)
    try:
        text: str = num2words(int(number), lang=language, to=form)
    except (NotImplementedError, KeyError, TypeError, IndexError, OverflowError, AttributeError):
        # Some languages of num2words lack a form; then the number is spoken as a plain one, or not spelt at all.
        return _words(number, language, "cardinal") if form != "cardinal" else ()
    except Exception as error:
        raise AlignError("INTERNAL", f"num2words failed on {number!r} in {language!r}: {error}") from error
    return tuple(re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text.lower()))
