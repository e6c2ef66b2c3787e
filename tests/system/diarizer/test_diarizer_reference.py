"""Our pipeline against pyannote's own, called directly with the same settings, in one process."""

import json
import os
import subprocess

import numpy as np
import pytest

from tests.harness.paths import REPOSITORY
from triscribe.diarization.process import find_python
from triscribe.models import ModelStore

pytestmark = [pytest.mark.diarizer, pytest.mark.timeout(600)]

DIRECT, OURS = "pyannote called directly", "embeddings side by side"
MOST_POINTS = 0.2


def test_the_error_rate_is_that_of_the_pipeline_called_directly(conversation, tmp_path):
    folder = ModelStore().pull("sample-conversation")
    np.save(tmp_path / "sample.npy", conversation.samples)
    files = {"samples": str(tmp_path / "sample.npy"), "rttm": str(folder / "sample.rttm")}
    job = {"name": "sample", "meeting": "sample", "uem": [0.0, 30.0]} | files
    (tmp_path / "jobs.json").write_text(json.dumps([job]))
    script = REPOSITORY / "benchmarks" / "diarization" / "variants.py"
    command = [find_python(), script, tmp_path / "jobs.json", tmp_path / "result.json", DIRECT, OURS]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "client")}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert result.returncode == 0, result.stderr
    direct, ours = json.loads((tmp_path / "result.json").read_text())
    assert (direct["variant"], ours["variant"]) == (DIRECT, OURS)
    assert 0 < direct["der"] < 20
    assert abs(ours["der"] - direct["der"]) <= MOST_POINTS
