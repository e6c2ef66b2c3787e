"""The wheel as a caller of the API installs it: without extras, into an environment that has nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.paths import REPOSITORY

UV = Path(sys.executable).with_name("uv")
LOCKS = REPOSITORY / "requirements"

MAX_PACKAGES = 5
MAX_MB = 100.0
"""Measured: 5 packages, 78 MB, of which numpy is 57 (Linux x86-64); with `local` it is 62 packages, 598 MB."""

_INSTALLED = """
import json
from importlib.metadata import distributions
print(json.dumps({one.name: sum(file.size or 0 for file in one.files or ()) for one in distributions()}))
"""
_CALL = """
import triscribe
from triscribe.client import Client, DiarizationOptions, RecognitionOptions
with Client("127.0.0.1:1") as client:
    try:
        client.transcribe(b"RIFF", RecognitionOptions(diarization=DiarizationOptions(num_speakers=2)))
    except triscribe.UnavailableError as error:
        print(error.code)
"""


def run(*command, **options):
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """A virtual environment with the wheel, made only from the locks."""
    folder: Path = tmp_path_factory.mktemp("client")
    build = ("--build-constraints", LOCKS / "build.txt", "--require-hashes", "--python", sys.executable)
    run(UV, "build", "--quiet", "--wheel", *build, "--out-dir", folder, REPOSITORY)
    (wheel,) = folder.glob("*.whl")
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    into = ("--quiet", "--python", folder / "venv/bin/python")
    run(UV, "pip", "install", *into, "--require-hashes", "--no-deps", "--requirement", LOCKS / "client.txt")
    run(UV, "pip", "install", *into, "--offline", "--no-deps", wheel)
    run(UV, "pip", "check", "--python", folder / "venv/bin/python")
    return folder / "venv/bin"


def test_it_brings_a_handful_of_packages(environment):
    sizes = json.loads(run(environment / "python", "-c", _INSTALLED))
    assert "triscribe" in sizes
    ours = sizes.pop("triscribe")
    total_mb = sum(sizes.values()) / 1e6
    names = ", ".join(sorted(sizes))
    print(f"{len(sizes)} packages, {total_mb:.0f} MB, and our own {ours / 1e6:.1f} MB: {names}")  # noqa: T201
    assert len(sizes) <= MAX_PACKAGES
    assert total_mb < MAX_MB


def test_the_client_works_in_it(environment):
    assert run(environment / "python", "-c", _CALL) == "UNAVAILABLE\n"


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(("--help",), "local"), (("transcribe", "a.wav"), "local"), (("gateway",), "gateway"), (("serve",), "server")],
)
def test_the_command_says_what_it_lacks(environment, arguments, extra):
    ended = subprocess.run(
        [environment / "triscribe", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.endswith(f"pip install 'triscribe[{extra}]'.")


def test_a_name_of_the_library_says_what_it_lacks(environment):
    ended = subprocess.run(
        [environment / "python", "-c", "from triscribe import transcribe"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "pip install 'triscribe[local]'" in ended.stderr.splitlines()[-1]
