"""What a call writes: formats and folder, and names for the outputs. No two inputs share a name."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from triscribe.files import clipped
from triscribe.formats import WRITERS, WriteOptions
from triscribe.transcription.journal import LOCK_SUFFIX, MIN_DURATION_S, Journal

STDIN = "-"

_LONGEST_EXTENSION = max(len(f".{writer.extension}") for writer in WRITERS.values())
_HASH_DIGITS = 8
_JOURNAL_SUFFIX = ".journal"


@dataclass(frozen=True)
class Output:
    """Where transcripts go: files of these formats in `folder`, or the one format to standard output.

    `resume`: whether a job that was killed can go on; None leaves it to recordings long enough to need it.
    `overwrite`: whether outputs of other inputs may be replaced.
    """

    formats: tuple[str, ...]
    folder: Path | None
    options: WriteOptions
    resume: bool | None = None
    overwrite: bool = False

    @property
    def extensions(self) -> tuple[str, ...]:
        """Of the files that are written for each input."""
        return tuple(WRITERS[name].extension for name in self.formats)


@dataclass(frozen=True)
class Target:
    """Where the outputs of one input go.

    Attributes:
        name: without an extension.
        owner: the input, as `identity` has it.
        paths: the file of each extension; empty with standard output.
        journal: where a killed job leaves its work; None keeps none.
    """

    name: str
    owner: str
    paths: Mapping[str, Path]
    journal: Path | None

    def open_journal(self, *, resume: bool | None) -> Journal | None:
        """The journal of this input; `resume` as in `Output`."""
        return Journal(self.journal, from_s=0.0 if resume else MIN_DURATION_S) if self.journal else None


def identity(file: str) -> str:
    """What stays the same however an input is spelt: its absolute path without links."""
    if file == STDIN:
        return STDIN
    try:
        return os.path.realpath(file)
    except OSError:  # the working directory is gone
        return file


def distinct(files: Sequence[str]) -> list[str]:
    """The inputs in order, each once: `a.wav` and `./a.wav` are one file."""
    return list({identity(file): file for file in reversed(files)}.values())[::-1]


def output_names(files: Sequence[str], longest: int | None = None) -> dict[str, str]:
    """Names for the outputs of different inputs, without an extension.

    The stem where it is unique: `talk`. Inputs that would share a name get their extension, then the names of the
    folders above them as far as needed: `memo.wav` beside `memo.mp3`, `monday_talk.wav` beside `tuesday_talk.wav`;
    in the end a number. Names are compared as careless file systems do: without case, and after normalization.

    Args:
        files: the inputs, each once.
        longest: bytes of a file's name that the file system takes; longer names are `shortened`.
    """
    room = None if longest is None else longest - _LONGEST_EXTENSION
    parts = {file: _parts(file) for file in files}
    lengths = dict.fromkeys(files, 0)
    while True:
        names = {file: shortened(_name(file, parts[file], lengths[file]), room) for file in files}
        uses = Counter(map(_compared, names.values()))
        shared = [file for file in files if uses[_compared(names[file])] > 1]
        longer = [file for file in shared if lengths[file] < len(parts[file])]
        if not longer:
            return names if not shared else _numbered(names, room)
        for file in longer:
            lengths[file] += 1


def shortened(name: str, room: int | None) -> str:
    """The name itself where it fits into `room` bytes, else its start and a hash of the whole."""
    if room is None or len(os.fsencode(name)) <= room:
        return name
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:_HASH_DIGITS]
    return f"{clipped(name, room - len(digest) - 1)}~{digest}"


def journal_path(folder: Path, name: str, longest: int) -> Path:
    """The journal of the recording whose outputs are called `name`; its lock fits beside it."""
    room = longest - len(f".{_JOURNAL_SUFFIX}{LOCK_SUFFIX}")
    return folder / f".{shortened(name, room)}{_JOURNAL_SUFFIX}"


def _name(file: str, parts: Sequence[str], length: int) -> str:
    """The stem for length 0, else the last `length` parts of the path."""
    if file == STDIN:
        return "stdin"
    return "_".join(parts[-length:]) if length else Path(file).stem


def _parts(file: str) -> tuple[str, ...]:
    return () if file == STDIN else Path(identity(file)).parts[1:]


def _numbered(names: Mapping[str, str], room: int | None) -> dict[str, str]:
    fitting = partial(shortened, room=room)
    taken: set[str] = set()
    numbered = {}
    for file, name in names.items():
        candidate, number = name, 1
        while _compared(candidate) in taken:
            number += 1
            candidate = fitting(f"{name}-{number}")
        taken.add(_compared(candidate))
        numbered[file] = candidate
    return numbered


def _compared(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
