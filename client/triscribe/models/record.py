"""The record that lies beside a model's files in the cache: what was verified when they arrived."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from triscribe.files import replacing
from triscribe.models.files import sha256_of
from triscribe.models.manifest import Model

RECORD_NAME = ".triscribe.json"


class RecordedFile(BaseModel):
    """Size in bytes and hash of a file as it was when its download was verified."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    size: int
    sha256: str


class Record(BaseModel):
    """What a complete model folder holds.

    Attributes:
        revision: commit of a hub repository, None for other sources.
        files: every file by its path inside the folder.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: str
    revision: str | None
    files: Mapping[str, RecordedFile]

    @classmethod
    def of_folder(cls, folder: Path, model: Model, revision: str | None, known: Mapping[str, str]) -> Record:
        """Describe a folder; `known` spares the hashing of files whose hash was just checked."""
        files = {}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and name != RECORD_NAME:
                files[name] = RecordedFile(size=path.stat().st_size, sha256=known.get(name) or sha256_of(path))
        return cls(name=model.name, revision=revision, files=files)

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The folder's record, None where there is none or it is unreadable (the folder then counts as absent)."""
        try:
            return cls.model_validate_json((folder / RECORD_NAME).read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None

    def write(self, folder: Path) -> None:
        """Write the record into the folder."""
        with replacing(folder / RECORD_NAME) as temporary:
            temporary.write_text(self.model_dump_json(indent=1), encoding="utf-8")

    def damaged(self, folder: Path) -> list[str]:
        """Names of files that are absent or have another size: the cheap check before each use."""
        return [name for name, file in self.files.items() if _size(folder / name) != file.size]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
