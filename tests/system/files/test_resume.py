"""A command that is killed half-way, and started again."""

import json
import re
import subprocess

import numpy as np
import pytest

from tests.harness.audio import wav
from tests.harness.paths import COMMAND
from tests.harness.processes import wait_for

pytestmark = pytest.mark.server


@pytest.fixture
def recording(conversation, tmp_path):
    """Three minutes: enough chunks to be killed between two of them."""
    path = tmp_path / "talk.wav"
    path.write_bytes(wav(np.tile(conversation.samples, 6)))
    return path


def test_a_killed_command_goes_on_where_it_stopped(server, recording, tmp_path):
    def command(folder):
        return [
            *(COMMAND, "transcribe", "--server", server.url, "--model", "tiny.en", "--resume"),
            *("--format", "json", "--output-dir", str(folder), str(recording)),
        ]

    whole, out = tmp_path / "whole", tmp_path / "out"
    subprocess.run(command(whole), check=True, timeout=240)
    journal = out / ".talk.journal"

    def finished():
        return journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0

    with subprocess.Popen(command(out)) as killed:
        assert wait_for(lambda: finished() >= 2, 240)
        killed.kill()
    done = finished()
    assert not (out / "talk.json").exists()  # nor half of it

    again = subprocess.run(command(out), check=True, timeout=240, capture_output=True, text=True)
    resumed = re.search(r"resumed, (\d+) chunks", again.stderr)
    assert resumed
    assert int(resumed[1]) == done
    segments = [json.loads((folder / "talk.json").read_text())["segments"] for folder in (whole, out)]
    assert segments[0] == segments[1]
    assert {path.name for path in out.iterdir() if path.is_file()} == {"talk.json"}
