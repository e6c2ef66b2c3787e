"""Tokens to written words: parted at spaces, and where none are written, by ICU's dictionaries.

ICU knows the words of Chinese, Japanese, Thai, Lao, Khmer and Burmese, and falls back to characters elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise

from faster_whisper.tokenizer import Tokenizer
from icu4py.breakers import WordBreaker

_UNSPACED = re.compile(
    "[\u0e00-\u0fff"  # Thai, Lao, Tibetan
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u2e80-\u2fff\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d]"  # kana
)
_OPENING = frozenset(["Ps", "Pi", "Sc"])
_QUOTES = "\"'“‘¿¡"


@dataclass(frozen=True)
class Piece:
    """One written word and the tokens that spell it: `tokens[first:last]`, attached punctuation left out.

    `text` is the word as it stands in the text, leading space included; `word` is without.
    """

    text: str
    first: int
    last: int

    @property
    def word(self) -> str:
        """The word without surrounding space."""
        return self.text.strip()


def written_words(tokens: Sequence[int], tokenizer: Tokenizer) -> list[Piece]:
    """Split text tokens into words, punctuation kept with them; together their texts are the text.

    The script of each character decides, not the language: code-switched speech and translations mix them. A word is
    never finer than a token, and a half of a character is in none.
    """
    text, holders = whole_characters(tokens, tokenizer)
    cuts = [cut for cut in _boundaries(text, tokenizer.language_code) if holders[cut - 1][1] < holders[cut][0]]
    pieces = []
    for start, end in _with_punctuation(text, [0, *cuts, len(text)]):
        spoken = [index for index in range(start, end) if _is_spoken(text[index])] or [start, end - 1]
        pieces.append(Piece(text[start:end], holders[spoken[0]][0], holders[spoken[-1]][1] + 1))
    return pieces


def whole_characters(tokens: Sequence[int], tokenizer: Tokenizer) -> tuple[str, list[tuple[int, int]]]:
    """The text of byte-level tokens, and for each character the first and the last token that spell it.

    Bytes that are no whole character (the token limit cuts where it likes) are left out.
    """
    owners = [index for index, token in enumerate(tokens) for _ in _bytes(tokenizer, token)]
    data = b"".join(_bytes(tokenizer, token) for token in tokens)
    text = data.decode("utf-8", "surrogateescape")
    characters, holders, position = [], [], 0
    for character in text:
        if "\udc80" <= character <= "\udcff":  # a stray byte
            position += 1
            continue
        length = len(character.encode())
        characters.append(character)
        holders.append((owners[position], owners[position + length - 1]))
        position += length
    return "".join(characters), holders


def _bytes(tokenizer: Tokenizer, token: int) -> bytes:
    return bytes(_byte_of()[character] for character in tokenizer.tokenizer.id_to_token(token) or "")


@cache
def _byte_of() -> dict[str, int]:
    """GPT-2's printable stand-ins for bytes (openai/gpt-2 encoder.py, bytes_to_unicode)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


def _boundaries(text: str, language: str) -> Iterator[int]:
    """Where a word may begin: beside spaces, characters of unspaced scripts and their punctuation."""
    # Not .segments(): its offsets count UTF-16.
    for end in accumulate(len(word) for word in WordBreaker(text, language)):
        if end < len(text) and any(_parts_words(character) for character in text[end - 1 : end + 1]):
            yield end


def _parts_words(character: str) -> bool:
    if character.isspace() or _UNSPACED.match(character):
        return True
    return unicodedata.category(character)[0] == "P" and unicodedata.east_asian_width(character) in "WF"


def _with_punctuation(text: str, cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The spans between the cuts, put together so that spaces and opening marks lead, and other marks follow."""
    spans: list[tuple[int, int]] = []
    start = 0
    for first, last in pairwise(cuts):
        part = text[first:last]
        if not part.strip() or _opens(part, at_start=first == 0 or text[first - 1].isspace()):
            continue  # goes to what comes next
        if spans and not text[start].isspace() and not any(map(_is_spoken, part)):
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((start, last))
        start = last
    if start < len(text):  # nothing came next
        if spans:
            spans[-1] = (spans[-1][0], len(text))
        elif text.strip():
            spans.append((start, len(text)))
    yield from spans


def _opens(part: str, *, at_start: bool) -> bool:
    return all(
        unicodedata.category(character) in _OPENING or (at_start and character in _QUOTES) for character in part.strip()
    )


def _is_spoken(character: str) -> bool:
    return character.isalnum() or character in "%％" or unicodedata.category(character)[0] in "MS"
