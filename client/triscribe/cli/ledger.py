"""Which input every output of a folder was made from, so that no call replaces the outputs of another input.

Kept in the folder itself (`.triscribe/outputs.jsonl`), a JSON line for each output: it moves with the outputs, serves
everybody who writes there, and the same call can be repeated, since its outputs are known to be its own. Most formats
have no room for a path, and names alone cannot tell two inputs apart. What the ledger does not know belongs to somebody
else; so nothing is lost with it but the right to replace outputs without `--overwrite`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

FOLDER = ".triscribe"

_LOCK_S = 10.0
"""Others hold the lock while they write one transcript."""


class Ledger:
    """The owners of the outputs in one folder.

    Args:
        folder: where the outputs are.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FOLDER / "outputs.jsonl"
        self._lock = FileLock(self._path.with_name("lock"), timeout=_LOCK_S, thread_local=False)
        self._read_bytes = 0
        self._owners: dict[str, str] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else looks and writes meanwhile, where the file system has locks; without them nobody waits."""
        try:
            self._path.parent.mkdir(exist_ok=True)
            self._lock.acquire()
        except (OSError, NotImplementedError, Timeout) as error:
            logger.info("%s: no lock (%s)", self._path.parent, error)
        try:
            self._read()
            yield
        finally:
            self._lock.release()

    def owner(self, name: str) -> str | None:
        """The input that the output of this name was made from, as `identity` has it; None where nobody knows."""
        return self._owners.get(name)

    def record(self, name: str, owner: str) -> None:
        """Note an owner; called before the output is written, so that a job that is killed knows its own again."""
        if self._owners.get(name) == owner:
            return
        self._owners[name] = owner
        line = json.dumps({"output": name, "input": owner}) + "\n"
        try:
            with self._path.open("ab") as file:
                # A line that a crash has cut off ends here.
                file.write(b"\n" + line.encode())
        except OSError as error:
            logger.warning("%s cannot be written (%s): repeat this call with --overwrite", self._path, error.strerror)

    def _read(self) -> None:
        """What was added since the last look, by whomever."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._read_bytes:  # the folder was made anew
                    self._read_bytes, self._owners = 0, {}
                file.seek(self._read_bytes)
                lines = file.read()
        except OSError:
            return
        self._read_bytes += len(lines)
        for line in lines.splitlines():
            try:
                entry = json.loads(line)
                self._owners[str(entry["output"])] = str(entry["input"])
            except (ValueError, TypeError, KeyError, RecursionError):  # cut off by a crash, or damaged
                continue
