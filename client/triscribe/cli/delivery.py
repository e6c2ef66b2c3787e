"""Transcripts to their files or to standard output; what cannot be written there is kept in a rescue file."""

from __future__ import annotations

import errno
import os
import select
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from triscribe.cli.ledger import Ledger
from triscribe.cli.outputs import Output, Target, shortened
from triscribe.cli.shown import shown
from triscribe.cli.taken import in_the_way, is_taken
from triscribe.errors import StorageError
from triscribe.files import atomic_write
from triscribe.formats import WRITERS, encoded
from triscribe.types import Transcript

_RESCUE_BYTES = 100
"""Of a name in the name of a rescue file, which has to fit anywhere."""


class Delivery:
    """Writes the transcripts of one call.

    Args:
        output: formats and folder.
        targets: where the transcript of each input goes, see `places.prepare`.
    """

    def __init__(self, output: Output, targets: Mapping[str, Target]) -> None:
        self._output = output
        self._targets = targets
        self._ledger = Ledger(output.folder) if output.folder else None
        self._is_begun = False  # standard output

    def deliver(self, file: str, transcript: Transcript) -> None:
        """Write all outputs of one input.

        Raises:
            StorageError: one of them could not be written; the message names the file that has it instead.
        """
        target = self._targets[file]
        contents = {WRITERS[name].extension: self._content(name, transcript) for name in self._output.formats}
        if self._ledger is None:
            failed = self._print(contents)
            self._is_begun = True
        else:
            failed = self._write(contents, target, self._ledger)
        if failed:
            raise StorageError(_rescued(failed, contents, target.name))

    def _content(self, name: str, transcript: Transcript) -> bytes:
        writer, options = WRITERS[name], self._output.options
        content = writer.render(transcript, options)
        if self._ledger is None:
            # All of standard output is one text to whoever reads it, and a text begins once.
            options = replace(options, bom=options.bom and not self._is_begun)
            if len(self._targets) > 1 and isinstance(content, str):
                content = f"==> {shown(transcript.audio.path)} <==\n{content}"
        return encoded(content, writer, options)

    def _print(self, contents: Mapping[str, bytes]) -> list[_Failure]:
        ((extension, content),) = contents.items()
        try:
            _print(content)
        except OSError as error:
            return [_Failure(extension, "standard output", error)]
        return []

    def _write(self, contents: Mapping[str, bytes], target: Target, ledger: Ledger) -> list[_Failure]:
        failed = []
        for path in target.paths.values():
            with suppress(OSError):  # told by the write
                path.parent.mkdir(parents=True, exist_ok=True)
        with ledger.held():
            for extension, path in target.paths.items():
                try:
                    self._replace(path, contents[extension], target.owner, ledger)
                except OSError as error:
                    failed.append(_Failure(extension, shown(str(path)), error))
        return failed

    def _replace(self, path: Path, content: bytes, owner: str, ledger: Ledger) -> None:
        """Look again before the file is replaced: the work has taken its time."""
        if fault := in_the_way(path, frozenset()):
            raise FileExistsError(errno.EEXIST, f"it {fault}")
        if not self._output.overwrite and is_taken(path, owner, ledger):
            raise FileExistsError(errno.EEXIST, "somebody else has made it meanwhile")
        ledger.record(path.name, owner)
        atomic_write(path, content)


@dataclass(frozen=True)
class _Failure:
    extension: str
    place: str
    error: OSError


def _rescued(failed: Sequence[_Failure], contents: Mapping[str, bytes], name: str) -> str:
    """Keep what could not be written, and say where."""
    places = ", ".join(one.place for one in failed)
    reason = failed[0].error.strerror or failed[0].error
    kept = [_kept(contents[one.extension], name, one.extension) for one in failed]
    rescued = ", ".join(shown(str(path)) if path else "nothing, since no other folder takes it either" for path in kept)
    return f"{places} could not be written ({reason}); rescued as {rescued}"


def _kept(content: bytes, name: str, extension: str) -> Path | None:
    """A new file with this content, in the first folder that takes it."""
    prefix = f"{shortened(name, _RESCUE_BYTES)}.rescued-"
    for folder_of in (Path.cwd, Path.home, lambda: Path(tempfile.gettempdir())):
        with suppress(OSError, RuntimeError, ValueError):  # the folder is gone, nobody's, or as full
            descriptor, path = tempfile.mkstemp(f".{extension}", prefix, folder_of())
            if _filled(descriptor, content):
                return Path(path)
            Path(path).unlink()
    return None


def _filled(descriptor: int, content: bytes) -> bool:
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        return False
    return True


def _print(data: bytes) -> None:
    """Past Python's buffer, which would try again, and complain, when the process ends."""
    sys.stdout.flush()
    raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
    rest = memoryview(data)
    while rest:
        written = raw.write(rest)
        if written is None:  # somebody has made it non-blocking, and its reader is slow
            select.select([], [raw], [])
        else:
            rest = rest[written:]
