"""Outputs that are there already: whose they are, and which of them may be replaced."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path

from triscribe.cli.ledger import Ledger
from triscribe.cli.outputs import STDIN, Target
from triscribe.cli.shown import shown
from triscribe.errors import UsageError
from triscribe.transcription.journal import START, lock_of

ELSEWHERE = "choose another --output-dir"

_SHOWN_AT_MOST = 5


def refuse_taken(targets: Mapping[str, Target], ledger: Ledger, *, overwrite: bool) -> None:
    """Look at everything that is where the outputs and journals of `targets` shall be; the ledger is held.

    Raises:
        UsageError: some of it may not be replaced.
    """
    inputs = set(_inodes(Path(file) for file in targets if file != STDIN))
    faults: list[str] = []
    foreign: list[str] = []
    for target in targets.values():
        for path in target.paths.values():
            if fault := in_the_way(path, inputs):
                faults.append(f"{shown(str(path))} {fault}")
            elif not overwrite and is_taken(path, target.owner, ledger):
                foreign.append(_described(path, ledger.owner(path.name)))
        if target.journal:
            lock = lock_of(target.journal)
            blocked = [_blocked(path, inputs) for path in (target.journal, lock)]
            faults += filter(None, blocked)
            if not overwrite and not any(blocked):
                foreign += filter(None, [_foreign_lock(lock), _foreign_journal(target.journal, target.owner, ledger)])
    if faults:
        raise UsageError(f"{_listed(faults)}: move it, or {ELSEWHERE}")
    if foreign:
        raise UsageError(f"not replaced without --overwrite: {_listed(foreign)}; or {ELSEWHERE}")


def is_taken(path: Path, owner: str, ledger: Ledger) -> bool:
    """Whether `path` exists and cannot be shown to be an output of `owner`; the ledger is held."""
    # Nobody can tell which recording came through standard input.
    return os.path.lexists(path) and (owner == STDIN or ledger.owner(path.name) != owner)


def in_the_way(path: Path, inputs: Set[tuple[int, int]]) -> str | None:
    """Why what is at `path` may never be replaced; None where it is an ordinary file or nothing.

    Args:
        path: of an output.
        inputs: device and inode of each input of this call.
    """
    if inputs & set(_inodes([path])):
        return "is an input of this call"
    if not path.exists():
        return None
    if not path.is_file():
        return "is a folder" if path.is_dir() else "is no ordinary file"
    return None if os.access(path, os.W_OK) else "is write-protected"


def _blocked(path: Path, inputs: Set[tuple[int, int]]) -> str | None:
    """A journal and its lock are opened and cut, not replaced, so a link is no place for them either."""
    fault = "is a link" if path.is_symlink() else in_the_way(path, inputs)
    return fault and f"{shown(str(path))} {fault}"


def _foreign_lock(lock: Path) -> str | None:
    return f"{shown(str(lock))} (no lock of ours)" if _start(lock) else None


def _foreign_journal(journal: Path, owner: str, ledger: Ledger) -> str | None:
    """A journal says by itself which audio it is about; so one that nobody owns, or whose input has moved, is taken."""
    start = _start(journal)
    if not start:
        return None
    if start != START:
        return f"{shown(str(journal))} (no journal of ours)"
    other = ledger.owner(journal.name)
    if other is None or other == owner or not os.path.lexists(other):
        return None
    return f"{shown(str(journal))} (what a killed job has left of {shown(other)})"


def _described(path: Path, owner: str | None) -> str:
    made = f"made from {shown(owner)}" if owner and owner != STDIN else "made from something else"
    return f"{shown(str(path))} ({made})"


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(START))
    except OSError:
        return b""


def _inodes(paths: Iterable[Path]) -> Iterator[tuple[int, int]]:
    """Of the files and of the links to them."""
    for path in paths:
        for look in (os.stat, os.lstat):
            with suppress(OSError, ValueError):
                told = look(path)
                yield told.st_dev, told.st_ino


def _listed(items: Sequence[str]) -> str:
    more = len(items) - _SHOWN_AT_MOST
    return "; ".join(items[:_SHOWN_AT_MOST]) + (f"; and {more} more" if more > 0 else "")
