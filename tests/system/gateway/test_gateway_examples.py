"""The examples of docs/, run as the documentation says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.paths import REPOSITORY

EXAMPLES = REPOSITORY / "docs" / "examples"
KNOWN = "originally from Chicago"


def run(command: list[str], address: str, cwd: Path | None = None):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {
        "TRISCRIBE_ADDRESS": address,
        "TRISCRIBE_PROTO": str(REPOSITORY / "proto"),
        "PATH": path,
    }
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("node") / "example"
    shutil.copytree(EXAMPLES / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "install", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=250)
    return folder


def test_node_uploads_a_file(gateway, node, recording):
    assert KNOWN in run(["node", "transcribe.mjs", str(recording)], gateway.address, cwd=node)


def test_node_streams_live(gateway, node, recording):
    assert "Chicago" in run(["node", "transcribe.mjs", "--live", str(recording)], gateway.address, cwd=node)


def test_node_tells_what_was_refused(gateway, node, tmp_path):
    empty = tmp_path / "empty.wav"
    empty.touch()
    command = ["node", "transcribe.mjs", str(empty)]
    environment = os.environ | {"TRISCRIBE_ADDRESS": gateway.address, "TRISCRIBE_PROTO": str(REPOSITORY / "proto")}
    result = subprocess.run(command, cwd=node, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "INVALID_ARGUMENT" in result.stderr


def test_grpcurl(gateway, recording):
    output = run([str(EXAMPLES / "grpcurl.sh"), str(recording)], gateway.address)
    assert '"status": "SERVING"' in output
    assert '"name": "tiny.en"' in output
    assert KNOWN in output
    assert "TIMING_SOURCE_ALIGNED" in output
