"""Written words → what a speaker says.

What is particular to a language comes from its `[text]` table, but for four things that are still English here:
ordinals (`1st`), `'s`, plurals and times of day. A language that writes these differently needs them moved.

Each written word gives one or more readings ("2025": twenty twenty five, two thousand and twenty five); the aligner
takes the one that the audio supports. A reading is a tuple of spoken words, empty for pure punctuation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import zip_longest
from typing import Final

from . import numerals
from .description import Text

Reading = tuple[str, ...]

UNSPELLABLE: Final = "*"
"""Stands in a reading for a word of a script that the language's alphabet does not cover."""

_MAX_READINGS: Final = 4
_LONGEST_ACRONYM: Final = 5
_LETTERS: Final = r"[^\W\d_½¼¾²³]+(?:'[^\W\d_½¼¾²³]+)*'?"
_LEXEME: Final = re.compile(
    r"""(?P<time>\d{1,2}:\d{2}(?::\d{2})?)(?!\d)
    | (?P<money>[$€£¥₹]\d[\d.,]*\d|[$€£¥₹]\d|\d[\d.,]*[$€£¥₹])
    | (?P<ordinal>\d+)(?:st|nd|rd|th)\b
    | (?P<decade>\d+)'?s\b
    | (?P<number>\d+(?:[.,]\d+)*|\.\d+)
    | (?P<initials>(?:[^\W\d_]\.){2,}(?:[^\W\d_]\b)?)
    | (?P<letters>"""
    + _LETTERS
    + r""")
    | (?P<symbol>\S)""",
    re.VERBOSE | re.IGNORECASE,
)


class Reader:
    """Reads written words aloud, in one language."""

    def __init__(self, text: Text, language: str) -> None:
        self._text = text
        self._language = language
        self._alphabet = frozenset(text.alphabet)
        self.readings = lru_cache(maxsize=8192)(self._readings)

    def _readings(self, written: str) -> tuple[Reading, ...]:
        """The ways to say one written word, the likeliest first; at least one."""
        word = unicodedata.normalize("NFC", written).replace("’", "'").strip()
        bare = word.strip("\"“”„«»()[]{}<>,;:!?¿¡…*_~`|'")
        for form in (bare, bare.rstrip(".")):
            if form.lower() in self._text.abbreviations:
                return (tuple(self._text.abbreviations[form.lower()].split()),)
        parts = [readings for readings in self._lexemes(bare) if readings]
        if not parts:
            return ((),)
        rows = zip_longest(*parts)  # a part with fewer readings keeps its last one
        combined = (
            tuple(word for said, part in zip(row, parts, strict=True) for word in (part[-1] if said is None else said))
            for row in rows
        )
        return tuple(dict.fromkeys(combined))[:_MAX_READINGS]

    def _lexemes(self, word: str) -> Iterator[list[Reading]]:
        matches = list(_LEXEME.finditer(word))
        for index, match in enumerate(matches):
            kind, value = match.lastgroup, match[match.lastgroup or 0]
            alone = len(matches) == 1
            if kind == "time":
                yield self._time(value)
            elif kind == "money":
                yield self._money(value)
            elif kind == "ordinal":
                yield [numerals.ordinal(value, self._language)]
            elif kind == "decade":
                yield [self._plural(reading) for reading in self._whole(value)]
            elif kind == "number":
                yield self._number(value)
            elif kind == "initials":
                yield [self._spelt(value.replace(".", ""))]
            elif kind == "letters":
                yield self._letters(value, alone=alone)
            else:
                before = matches[index - 1].lastgroup if index else None
                after = matches[index + 1].lastgroup if index + 1 < len(matches) else None
                yield self._symbol(value, before, after)

    def _letters(self, value: str, *, alone: bool) -> list[Reading]:
        lower = value.lower()
        if not alone and lower in self._text.abbreviations:
            return [tuple(self._text.abbreviations[lower].split())]
        word = self._in_alphabet(lower.rstrip("'") if lower.rstrip("'") else lower)
        acronym = value.isupper() and 1 < len(value) <= _LONGEST_ACRONYM and value.isalpha()
        if word == UNSPELLABLE or not (acronym or (not alone and len(value) <= 2)):
            return [(word,)]
        return [self._spelt(value), (word,)] if len(value) <= 3 else [(word,), self._spelt(value)]

    def _in_alphabet(self, word: str) -> str:
        if not self._alphabet or self._alphabet.issuperset(word):
            return word
        kept = "".join(letter if letter in self._alphabet else _without_accents(letter) for letter in word)
        return kept if kept and self._alphabet.issuperset(kept) else UNSPELLABLE

    def _spelt(self, letters: str) -> Reading:
        names = (self._in_alphabet(letter) for letter in letters.lower())
        return tuple(n if n == UNSPELLABLE else self._text.letter_names.format(letter=n) for n in names)

    def _symbol(self, value: str, before: str | None, after: str | None) -> list[Reading]:
        text = self._text
        if value in "-–—−":
            if after == "number" and before in ("number", "time", "money", "ordinal"):
                return [_split(text.range), ()]
            return [_split(text.negative)] if before is None and after in ("number", "money") else []
        if value == ".":
            return [_split(text.symbols.get(".", ""))] if {before, after} <= {"letters", "number"} else []
        if value == "/" and before == "number":
            return [(), _split(text.symbols.get("/", ""))]
        return [_split(text.symbols[value])] if value in text.symbols else []

    def _time(self, value: str) -> list[Reading]:
        hour, minute, *second = value.split(":")
        spoken = numerals.cardinal(hour, self._language)
        if int(minute) >= 10:
            spoken += numerals.cardinal(minute, self._language)
        elif int(minute) > 0:
            spoken += (*_split(self._text.zero), *numerals.cardinal(minute, self._language))
        for part in second:
            spoken += numerals.cardinal(part, self._language)
        return [spoken]

    def _money(self, value: str) -> list[Reading]:
        sign = value[0] if value[0] in self._text.currencies else value[-1]
        amount = value.strip(sign)
        if sign not in self._text.currencies:
            return self._number(amount)
        one, many, cent, cents = (_split(name) for name in self._text.currencies[sign])
        whole, fraction = self._parts(amount)
        unit = one if whole == "1" and not fraction else many
        if len(fraction) != 2:
            plain = self._number(amount)
            return [(*plain[0], *unit), *plain]
        units = numerals.cardinal(whole, self._language)
        unit = one if whole == "1" else many
        rest = numerals.cardinal(fraction, self._language) if int(fraction) else ()
        small = (*rest, *(cent if fraction == "01" else cents)) if rest else ()
        joint = _split(self._text.symbols.get("&", "")) if rest else ()
        return [(*units, *unit, *joint, *small), (*units, *unit, *small), (*units, *rest)]

    def _parts(self, value: str) -> tuple[str, str]:
        """Whole digits and decimals of a written number; separators of thousands are dropped."""
        decimal = self._text.decimal
        thousands = "," if decimal == "." else "."
        whole, _, fraction = value.replace(thousands, "").partition(decimal)
        if not fraction.isdigit():
            whole, fraction = re.sub(r"\D", "", value), ""
        return whole or "0", fraction

    def _number(self, value: str) -> list[Reading]:
        whole, fraction = self._parts(value)
        if fraction:
            tail = (*_split(self._text.point), *numerals.digits(fraction, self._language))
            return [(*numerals.cardinal(whole, self._language), *tail)]
        return self._whole(whole, grouped=not value.isdigit())

    def _whole(self, number: str, *, grouped: bool = False) -> list[Reading]:
        language = self._language
        plain = numerals.cardinal(number, language)
        if not plain:
            return [(UNSPELLABLE,)]
        if grouped:
            return [plain]
        if number.startswith("0") and len(number) > 1:
            return [numerals.digits(number, language), plain]
        if numerals.is_year(number):
            return [numerals.year(number, language), plain, numerals.digits(number, language)]
        if len(number) in (3, 4):
            return [plain, numerals.pairs(number, language), numerals.digits(number, language)]
        return [plain] if len(number) <= 2 else [plain, numerals.digits(number, language)]

    @staticmethod
    def _plural(reading: Reading) -> Reading:
        last = reading[-1]
        return (*reading[:-1], f"{last[:-1]}ies" if last.endswith("y") else f"{last}s")


def _split(text: str) -> Reading:
    return tuple(text.split())


def _without_accents(letter: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c)).lower()
