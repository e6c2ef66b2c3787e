"""What the outputs of a call are called: no two inputs share a name."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

STDIN = "-"


def distinct(files: Sequence[str]) -> list[str]:
    """The inputs in order, each once: `a.wav` and `./a.wav` are one file."""
    return list({file if file == STDIN else str(Path(file).resolve()): file for file in reversed(files)}.values())[::-1]


def output_names(files: Sequence[str]) -> dict[str, str]:
    """Names for the outputs of different inputs, without an extension.

    The stem where it is unique: `talk`. Inputs that would share a name get their extension, then the names of the
    folders above them as far as needed: `memo.wav` beside `memo.mp3`, `monday_talk.wav` beside `tuesday_talk.wav`;
    in the end a number. Names are compared as careless file systems do: without case, and after normalization.
    """
    parts = {file: _parts(file) for file in files}
    lengths = dict.fromkeys(files, 0)
    while True:
        names = {file: _name(file, parts[file], lengths[file]) for file in files}
        uses = Counter(map(_compared, names.values()))
        shared = [file for file in files if uses[_compared(names[file])] > 1]
        longer = [file for file in shared if lengths[file] < len(parts[file])]
        if not longer:
            return names if not shared else _numbered(names)
        for file in longer:
            lengths[file] += 1


def _name(file: str, parts: Sequence[str], length: int) -> str:
    """The stem for length 0, else the last `length` parts of the path."""
    if file == STDIN:
        return "stdin"
    return "_".join(parts[-length:]) if length else Path(file).stem


def _parts(file: str) -> tuple[str, ...]:
    return () if file == STDIN else Path(file).resolve().parts[1:]


def _numbered(names: Mapping[str, str]) -> dict[str, str]:
    taken: set[str] = set()
    numbered = {}
    for file, name in names.items():
        candidate, number = name, 1
        while _compared(candidate) in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.add(_compared(candidate))
        numbered[file] = candidate
    return numbered


def _compared(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
