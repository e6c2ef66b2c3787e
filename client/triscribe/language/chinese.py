"""Simplified or traditional output. The only module that imports OpenCC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Literal

from triscribe.types import Segment

Script = Literal["simplified", "traditional"]

_CONVERSIONS: dict[Script, str] = {"simplified": "t2s", "traditional": "s2t"}
"""Names of OpenCC's conversions that change characters only, and keep regional words as they were said."""

LANGUAGES = ("zh", "yue")
"""Codes of what is written in these scripts."""


def in_script(segment: Segment, script: Script) -> Segment:
    """The segment in one script; words keep their number and times. Other languages than Chinese are left alone."""
    if segment.language not in LANGUAGES:
        return segment
    convert = _converter(script)
    text = convert(segment.text)
    words = [word.word for word in segment.words]
    if len(text) == len(segment.text):
        # Cut out of the whole: some characters depend on their neighbours (头发 is 頭髮, 发展 is 發展).
        position = 0
        for index, word in enumerate(words):
            found = segment.text.find(word, position)
            if found < 0:
                words[index] = convert(word)
                continue
            position = found + len(word)
            words[index] = text[found:position]
    else:
        words = [convert(word) for word in words]
        text = _rewritten(segment, words)
    converted = zip(segment.words, words, strict=True)
    return replace(segment, text=text, words=tuple(replace(word, word=written) for word, written in converted))


def _rewritten(segment: Segment, words: list[str]) -> str:
    """The segment's text with its words replaced, spaces kept."""
    text, position = "", 0
    for word, written in zip(segment.words, words, strict=True):
        found = max(position, segment.text.find(word.word, position))
        text += segment.text[position:found] + written
        position = found + len(word.word)
    return text + segment.text[position:]


@cache
def _converter(script: Script) -> Callable[[str], str]:
    import opencc  # noqa: PLC0415 - its dictionaries take a moment, and few ask for them

    convert: Callable[[str], str] = opencc.OpenCC(_CONVERSIONS[script]).convert
    return convert
