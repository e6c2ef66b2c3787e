"""The proto rules, and that they notice what they are there for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.paths import REPOSITORY

BUF = str(Path(sys.executable).parent / "buf")


def buf(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BUF, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def changed(tmp_path: Path):
    def change(old: str, new: str) -> Path:
        folder = tmp_path / "proto"
        shutil.copytree(REPOSITORY / "proto", folder)
        file = folder / "triscribe" / "v1" / "speech.proto"
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))
        return folder

    return change


def test_lint_and_format():
    assert buf("lint", REPOSITORY / "proto").stdout == ""
    assert buf("format", "--diff", "--exit-code", REPOSITORY / "proto").returncode == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("string initial_prompt = 7;", "string initial_prompt = 17;"),
        ("repeated string hotwords = 8;", ""),
        ("float stability = 5;", "double stability = 5;"),
        ("rpc ListModels(", "rpc Models("),
        ("TASK_TRANSLATE = 2;", "TASK_TRANSLATE = 3;"),
    ],
)
def test_a_breaking_change_is_refused(changed, old, new):
    result = buf("breaking", changed(old, new), "--against", REPOSITORY / "proto")
    assert result.returncode != 0
    assert "speech.proto" in result.stdout


def test_a_new_field_is_welcome(changed):
    folder = changed("string initial_prompt = 7;", "string initial_prompt = 7;\n  // New.\n  string added = 99;")
    assert buf("breaking", folder, "--against", REPOSITORY / "proto").returncode == 0


def test_the_generated_code_is_that_of_the_protos():
    script = [str(REPOSITORY / "scripts" / "generate_proto"), "--check"]
    result = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout
