"""The command against the real server: what it prints, what it writes, how it ends."""

import json
import subprocess

import jsonschema
import pytest

from tests.harness.audio import wav
from tests.harness.marks import needs_data
from tests.harness.paths import COMMAND, DATA, REPOSITORY

pytestmark = pytest.mark.server

SCHEMA = json.loads((REPOSITORY / "docs" / "transcript.schema.json").read_text())


@pytest.fixture
def run(server):
    def run(*arguments, stdin=None):
        return subprocess.run(
            [COMMAND, "transcribe", "--server", server.url, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            timeout=280,
            check=False,
        )

    return run


def test_stdout_carries_the_transcript_only(run, conversation):
    result = run(conversation.path)
    assert result.returncode == 0
    assert "originally from Chicago" in result.stdout.decode()
    assert result.stderr == b""


def test_standard_input_is_read(run, conversation):
    result = run("-", "--format", "json", "--no-vad", "--language", "english", stdin=conversation.path.read_bytes())
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    jsonschema.validate(document, SCHEMA)
    assert document["audio"] == {
        "path": "-",
        "duration": 30.0,
        "track": {"index": 1, "count": 1, "language": None, "title": None},
        "mix": None,
    }
    assert document["language"] == "en"
    assert document["language_probability"] == 1.0


def test_a_bad_file_is_reported_and_the_others_are_delivered(run, conversation, tmp_path):
    noise = tmp_path / "noise.mp3"
    noise.write_bytes(b"no media at all" * 100)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(conversation.path.read_bytes())
    out = tmp_path / "out"
    files = [conversation.path, noise, tmp_path / "missing.wav", copy]
    result = run(*files, "--format", "txt,srt,vtt,ass,html,tsv,json", "--output-dir", out)
    assert result.returncode == 1
    assert result.stdout == b""
    lines = result.stderr.decode().splitlines()
    assert [line for line in lines if "noise.mp3" in line]
    assert [line for line in lines if "missing.wav" in line]
    assert "Traceback" not in result.stderr.decode()
    written = {path.name for path in out.iterdir() if path.is_file()}
    kinds = ("txt", "srt", "vtt", "ass", "html", "tsv", "json")
    assert written == {f"{stem}.{kind}" for stem in ("sample", "copy") for kind in kinds}
    assert 'src="data:audio/wav;base64,' in (out / "copy.html").read_text()
    assert (out / "sample.txt").read_text() == (out / "copy.txt").read_text() != ""
    jsonschema.validate(json.loads((out / "copy.json").read_text()), SCHEMA)


def test_what_the_server_refuses_is_one_line(run, conversation):
    result = run(conversation.path, "--model", "tiny.en", "--task", "translate")
    assert result.returncode == 1
    (line,) = result.stderr.decode().splitlines()
    assert "cannot translate" in line


def test_a_model_that_is_not_served_is_one_line(run, conversation):
    result = run(conversation.path, "--model", "large-v9")
    assert result.returncode == 1
    (line,) = result.stderr.decode().splitlines()
    assert "served: base, tiny.en" in line


MEDIA = DATA / "media"
CASES = json.loads((MEDIA / "manifest.json").read_text()) if (MEDIA / "manifest.json").exists() else []


@needs_data
@pytest.mark.timeout(280)
def test_every_odd_file_gives_a_result_or_a_reason(run, tmp_path):
    """All files in one call of tiny.en, quick and greedy: what counts is that each ends as it should."""
    out = tmp_path / "out"
    files = [MEDIA / case["file"] for case in CASES]
    result = run(*files, "--model", "tiny.en", "--beam-size", 1, "--no-word-timestamps", "--output-dir", out)
    errors = result.stderr.decode().splitlines()
    assert result.returncode == 1
    assert "Traceback" not in result.stderr.decode()
    written = {path.name.removesuffix(".txt") for path in out.iterdir()}
    for case in CASES:
        path = MEDIA / case["file"]
        delivered = path.name in written or path.stem in written
        reasons = [line for line in errors if line.startswith(f"{path}: ")]
        if case["expect"] == "ok" and not case.get("ambiguous"):
            assert delivered, (case["file"], reasons)
        elif case["expect"] == "error" and not case.get("ambiguous"):
            assert not delivered, case["file"]
            assert len(reasons) == 1, case["file"]
        else:
            assert delivered or len(reasons) == 1, case["file"]


def test_two_inputs_of_one_name_have_an_output_each(run, recording_parts, tmp_path):
    """The second once replaced the first without a word; both shared a journal."""
    out = tmp_path / "out"
    result = run(*recording_parts, "--model", "tiny.en", "--resume", "--output-dir", out)
    assert result.returncode == 0, result.stderr
    written = {path.name: path.read_text() for path in out.iterdir() if path.is_file()}
    assert set(written) == {"mon_talk.wav.txt", "tue_talk.wav.txt"}
    assert written["mon_talk.wav.txt"] != written["tue_talk.wav.txt"]
    assert all(written.values())


@pytest.fixture
def recording_parts(conversation, tmp_path):
    paths = []
    for folder, start_s in (("mon", 6.6), ("tue", 20.0)):
        path = tmp_path / folder / "talk.wav"
        path.parent.mkdir()
        path.write_bytes(wav(conversation.part(start_s, start_s + 4)))
        paths.append(path)
    return paths


def test_a_call_replaces_its_own_outputs_and_no_others(run, recording_parts, tmp_path):
    """The second of two calls replaced what the first had made from another input."""
    first, second = recording_parts
    options = ("--model", "tiny.en", "--output-dir", tmp_path / "out")
    for _ in range(2):
        assert run(first, *options).returncode == 0
    text = (tmp_path / "out" / "talk.txt").read_text()
    refused = run(second, *options)
    assert refused.returncode == 2
    (line,) = refused.stderr.decode().splitlines()
    assert "--overwrite" in line
    assert (tmp_path / "out" / "talk.txt").read_text() == text
    assert run(second, *options, "--overwrite").returncode == 0
    assert (tmp_path / "out" / "talk.txt").read_text() != text


def test_a_reader_that_takes_nothing_costs_no_text(server, recording_parts, tmp_path):
    command = [COMMAND, "transcribe", "--server", server.url, "--model", "tiny.en", str(recording_parts[0])]
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, timeout=280, check=False, cwd=tmp_path, text=True
        )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    (rescued,) = tmp_path.glob("talk.rescued-*.txt")
    assert str(rescued) in line
    assert rescued.read_text().strip()
