"""The command with speakers: every format, every process, and what is left when the diarizer cannot be had."""

import json
import os
import subprocess
import time
from pathlib import Path

import jsonschema
import psutil
import pytest

from tests.harness.paths import COMMAND, REPOSITORY
from triscribe.formats import WRITERS

pytestmark = [pytest.mark.server, pytest.mark.diarizer, pytest.mark.timeout(600)]

SCHEMA = json.loads((REPOSITORY / "docs" / "transcript.schema.json").read_text())
SPEAKERS = ["SPEAKER_00", "SPEAKER_01"]


@pytest.fixture
def start(server, conversation):
    """The command on the sample with --diarize; a call returns while it runs."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments, **environment):
        command = [COMMAND, "transcribe", "--server", server.url, "--diarize", str(conversation.path)]
        command += map(str, arguments)
        environment = os.environ | environment
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def diarizers(process: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in process.children(recursive=True):
        try:
            if "triscribe.diarizer" in child.cmdline():
                found.append(child)
        except psutil.Error:  # it has just ended
            continue
    return found


def libraries(process: psutil.Process) -> frozenset[str]:
    """Which of the two that must not meet are mapped into a process."""
    try:
        maps = Path(f"/proc/{process.pid}/maps").read_text()
    except OSError:
        return frozenset()
    return frozenset(name for name, sign in (("ctranslate2", "libctranslate2"), ("torch", "libtorch")) if sign in maps)


def test_every_format_names_the_speakers_and_no_process_has_both_libraries(server, start, tmp_path):
    process = start("--format", ",".join(WRITERS), "--output-dir", tmp_path, "--speaker-embeddings")
    seen: set[frozenset[str]] = set()
    triton = psutil.Process(server.supervisor.process.pid)
    while process.poll() is None:
        for root in (triton, psutil.Process(process.pid), psutil.Process()):
            seen |= {libraries(part) for part in (root, *root.children(recursive=True))}
        time.sleep(0.2)
    assert process.returncode == 0, process.stderr.read()
    assert {frozenset({"ctranslate2"}), frozenset({"torch"})} <= seen <= {
        frozenset(), frozenset({"ctranslate2"}), frozenset({"torch"}),
    }  # fmt: skip

    written = {name: (tmp_path / f"sample.{name}").read_bytes() for name in WRITERS}
    document = json.loads(written["json"])
    jsonschema.validate(document, SCHEMA)
    assert document["speakers"] == SPEAKERS
    assert {name: len(vector) for name, vector in document["speaker_embeddings"].items()} == dict.fromkeys(
        SPEAKERS, 192
    )
    words = [word for segment in document["segments"] for word in segment["words"]]
    assert {word["speaker"] for word in words} == set(SPEAKERS)
    assert all(word["speaker"] == segment["speaker"] for segment in document["segments"] for word in segment["words"])
    for name in ("txt", "srt", "vtt", "tsv", "rttm", "svg"):
        assert all(speaker.encode() in written[name] for speaker in SPEAKERS), name
    assert written["png"].startswith(b"\x89PNG")


@pytest.mark.parametrize(("options", "code"), [((), 1), (("--diarize-optional",), 0)])
def test_without_a_diarizer_the_text_is_delivered(start, options, code):
    process = start(*options, TRISCRIBE_DIARIZER_PYTHON="/nowhere/python")
    out, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert "originally from Chicago" in out
    assert "SPEAKER" not in out
    (line,) = err.splitlines()
    assert "/nowhere/python" in line


@pytest.mark.parametrize(("again", "code"), [(False, 0), (True, 1)])
def test_a_diarizer_that_is_killed_is_started_again_once(start, again, code):
    process = start()
    killed: set[psutil.Process] = set()
    # One that dies before its job has begun does not count, so a second death may take a third process.
    while (again or not killed) and process.poll() is None:
        for child in diarizers(psutil.Process(process.pid)):
            if child not in killed:
                child.kill()
                killed.add(child)
        time.sleep(0.1)
    out, err = process.communicate(timeout=200)
    assert len(killed) > again
    assert process.returncode == code
    assert "originally from Chicago" in out
    assert ("SPEAKER_01" in out) == (code == 0)
    assert ("died 2 times: killed by SIGKILL" in err) == (code == 1)
    assert not any(child.is_running() for child in killed)
