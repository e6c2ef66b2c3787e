"""The places of the outputs, tried before any work is done: what cannot be written is told at once, with a remedy."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import typer

from triscribe.cli.ledger import Ledger
from triscribe.cli.outputs import Output, Target, distinct, identity, journal_path, output_names
from triscribe.cli.shown import shown
from triscribe.cli.taken import ELSEWHERE, refuse_taken
from triscribe.errors import UsageError
from triscribe.files import temporary_beside

_PROBE_BYTES = 64 * 1024
_LONGEST_NAME = 255
"""Bytes, where the system does not say."""

_REMEDIES = {
    errno.EACCES: f"{ELSEWHERE}, or change its permissions",
    errno.EPERM: f"{ELSEWHERE}, or change its permissions",
    errno.ENOSPC: f"make room, or {ELSEWHERE}",
    errno.EDQUOT: f"make room, or {ELSEWHERE}",
    errno.EFBIG: f"{ELSEWHERE}, or raise the limit of ulimit -f",
    errno.ENAMETOOLONG: "choose a shorter --output-dir",
    errno.EEXIST: f"move the file that is in the way, or {ELSEWHERE}",
    errno.ENOTDIR: f"move the file that is in the way, or {ELSEWHERE}",
}


def prepare(files: Sequence[str], output: Output) -> dict[str, Target]:
    """Make the folder, try every place, and give each input its own.

    Returns:
        A target for each input, in order; inputs that are spelt twice come once.

    Raises:
        UsageError: a place cannot be written, or is taken by the output of another input.
    """
    files = distinct(files)
    folder = output.folder
    if folder is None:
        _try_standard_output()
        return {file: Target(name, identity(file), {}, None) for file, name in output_names(files).items()}
    _try_folder(folder)
    longest = _longest_name(folder)
    targets = {}
    whole = output_names(files)
    for file, name in output_names(files, longest).items():
        if name != whole[file]:
            typer.echo(f"{shown(file)}: the outputs are called {shown(name)}, the whole name is too long", err=True)
        paths = {extension: folder / f"{name}.{extension}" for extension in output.extensions}
        journal = None if output.resume is False else journal_path(folder, name, longest)
        targets[file] = Target(name, identity(file), paths, journal)
    _try_names(targets.values())
    ledger = Ledger(folder)
    with ledger.held():
        refuse_taken(targets, ledger, overwrite=output.overwrite)
        for target in targets.values():
            if target.journal:
                ledger.record(target.journal.name, target.owner)
    return targets


def _try_standard_output() -> None:
    try:
        descriptor = sys.stdout.fileno()
        full = stat.S_ISREG(os.fstat(descriptor).st_mode) and _is_full(descriptor)
    except AttributeError as error:  # Python found it closed
        raise UsageError("standard output is closed: use --output-dir") from error
    except (OSError, ValueError):  # not a file: a test's, or a library's
        return
    if full:
        raise UsageError("standard output goes to a full disk: make room, or use --output-dir")


def _is_full(descriptor: int) -> bool:
    return hasattr(os, "fstatvfs") and (told := os.fstatvfs(descriptor)).f_blocks > 0 and told.f_bavail == 0


def _try_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(os.urandom(_PROBE_BYTES))  # what cannot be compressed away
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, ELSEWHERE)
        raise UsageError(f"--output-dir {shown(str(folder))} cannot be used ({error.strerror}): {remedy}") from error


def _longest_name(folder: Path) -> int:
    with suppress(AttributeError, ValueError, OSError):  # a system that cannot say
        told = os.pathconf(folder, "PC_NAME_MAX")
        return told if told > 0 else _LONGEST_NAME
    return _LONGEST_NAME


def _try_names(targets: Iterable[Target]) -> None:
    """Paths have a length of their own, and some file systems take fewer characters than others."""
    for target in targets:
        path = next(iter(target.paths.values()))
        trial = temporary_beside(path)
        try:
            for planned in target.paths.values():
                with suppress(FileNotFoundError):
                    os.lstat(planned)
            trial.touch(exist_ok=False)
        except (OSError, ValueError) as error:
            raise _unfit(path, error) from error
        finally:
            with suppress(OSError, ValueError):
                trial.unlink()


def _unfit(path: Path, error: Exception) -> UsageError:
    reason = getattr(error, "strerror", None) or error
    return UsageError(f"{shown(str(path))} cannot be written there ({reason}): {ELSEWHERE}, or rename the input")
