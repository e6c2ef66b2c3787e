"""scripts/load_test against the real server, with the real perf_analyzer."""

import csv
import subprocess

import pytest

from tests.harness.paths import REPOSITORY

pytestmark = pytest.mark.server

LOAD_TEST = REPOSITORY / "scripts" / "load_test"


def run(*arguments):
    return subprocess.run([LOAD_TEST, *map(str, arguments)], capture_output=True, text=True, timeout=280, check=False)


def test_it_sweeps_a_running_server_and_finds_the_knee(server, tmp_path):
    out = tmp_path / "out"
    options = ["--server", server.url, "--model", "tiny.en", "--options", '{"language": "en", "beam_size": 1}']
    done = run(*options, "--concurrency", "1,3", "--rates", "2", "--requests", "8", "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 clips of 2.1 to 23.0 s" in done.stdout
    assert "Knee: " in done.stdout
    with (out / "load.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["mode"], row["level"]) for row in rows] == [
        ("concurrency", "1"),
        ("concurrency", "3"),
        ("request_rate", "2.0"),
    ]
    for row in rows:
        assert int(row["requests"]) >= 8
        assert row["errors"] == "0"
        # Clips are equally frequent, 8.2 s on average: what is sent is what is counted.
        assert float(row["audio_s_per_s"]) > float(row["throughput_rps"]) > 0
        assert 0 < float(row["p50_ms"]) <= float(row["p99_ms"])
    assert (out / "load.png").read_bytes().startswith(b"\x89PNG")


def test_refusals_are_shown_as_errors(server, conversation, tmp_path):
    """A model that is not served: every request is answered with an error, none counts as a result."""
    options = ["--server", server.url, "--options", '{"model": "large-v9"}', "--data", conversation.path]
    done = run(*options, "--concurrency", "2", "--rates", "0", "--requests", "4", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "large-v9" in done.stdout
    assert not (tmp_path / "out").exists()


def test_a_server_that_is_not_there_is_one_line(tmp_path):
    done = run("--server", "127.0.0.1:9", "--concurrency", "1", "--rates", "0", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("Error: perf_analyzer failed at concurrency 1")
    assert "Traceback" not in done.stderr
