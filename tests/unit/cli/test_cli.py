"""Usage, without any server: in this process, as `main` does it."""

import os

import pytest

from triscribe.cli import app as module
from triscribe.cli import peers


class Result:
    def __init__(self, returncode, stdout, stderr):
        self.returncode, self.stdout, self.stderr = returncode, stdout, stderr


@pytest.fixture
def run(monkeypatch, capfd):
    """Runs the whole command; errors end as they do for a user."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["triscribe", *arguments])
        monkeypatch.setattr("signal.signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            module.main()
        return Result(ended.value.code, *capfd.readouterr())

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ("transcribe",),
        ("transcribe", "a.wav", "--format", "docx"),
        ("transcribe", "a.wav", "--format", ","),
        ("transcribe", "a.wav", "--format", "txt,srt"),
        ("transcribe", "a.wav", "b.wav", "--format", "json"),
        ("transcribe", "-", "-"),
        ("transcribe", "a.wav", "--language", "klingon"),
        ("transcribe", "a.wav", "--languages", "en,klingon"),
        ("transcribe", "a.wav", "--languages", "en,auto"),
        ("transcribe", "a.wav", "--languages", "en,de", "--language", "de"),
        ("transcribe", "a.wav", "--script", "cursive"),
        ("transcribe", "a.wav", "--channels", "left"),
        ("transcribe", "a.wav", "--channels", "split", "--diarize"),
        ("transcribe", "a.wav", "--channels", "split", "--num-speakers", "2"),
        ("transcribe", "a.wav", "--task", "summarise"),
        ("transcribe", "a.wav", "--beam-size", "0"),
        ("transcribe", "a.wav", "--beam-size", "many"),
        ("transcribe", "a.wav", "--loudness", "11"),
        ("transcribe", "a.wav", "--diarize", "--num-speakers", "2", "--max-speakers", "3"),
        ("transcribe", "a.wav", "--diarize", "--min-speakers", "3", "--max-speakers", "2"),
        ("transcribe", "a.wav", "--diarize", "--num-speakers", "0"),
        ("transcribe", "a.wav", "--num-speakers", "2"),
        ("transcribe", "--format", "json"),
        ("transcribe", "a.wav", "--max-line-width", "1"),
        ("transcribe", "a.wav", "--max-cue-seconds", "0.5"),
        ("transcribe", "a.wav", "--reading-speed", "nan"),
        ("transcribe", "a.wav", "--cue-gap", "-1"),
        ("transcribe", "a.wav", "--html-audio", "stream"),
        ("serve", "--grpc-port", "70000"),
        ("sing",),
    ],
    ids=" ".join,
)
def test_a_wrong_call_exits_2_and_says_why_on_stderr(run, arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("transcribe", "-h"), ("serve", "--help"), ("models", "--help")])
def test_help_is_on_stdout(run, arguments):
    result = run(*arguments)
    assert result.returncode == 0
    assert "Usage" in result.stdout
    assert result.stderr == ""


def test_a_missing_file_needs_no_server(run, tmp_path):
    result = run("transcribe", str(tmp_path / "missing.wav"), "--server", "127.0.0.1:1")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "missing.wav" in line
    assert result.stdout == ""


@pytest.fixture
def talk(tmp_path, monkeypatch):
    """A file that is there; nobody is waited for long."""
    monkeypatch.setattr(peers, "PATIENCE_S", 0.3)
    path = tmp_path / "talk.wav"
    path.write_bytes(b"no media")
    return str(path)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:8001", "[::1]:1"])
def test_a_dead_server_is_one_line(run, talk, address):
    result = run("transcribe", talk, "--server", address)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {address} does not answer: is `triscribe serve` running there?")
    assert result.stdout == ""


def test_a_dead_diarizer_is_told_before_the_work(run, talk):
    result = run("transcribe", talk, "--diarize", "--diarizer", "127.0.0.1:1")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: 127.0.0.1:1 does not answer: is the diarizer running there?")


@pytest.mark.parametrize("address", ["localhost", "http://localhost:8001"])
def test_a_server_without_a_port_is_wrong_usage(run, talk, address):
    result = run("transcribe", talk, "--server", address)
    assert result.returncode == 2
    assert "HOST:PORT" in result.stderr


def test_places_are_tried_before_anybody_is_asked(run, talk, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "talk.txt").write_text("mine")
    for folder in ("out", "talk.wav", "talk.wav/below"):
        result = run("transcribe", talk, "--output-dir", str(tmp_path / folder), "--server", "127.0.0.1:1")
        assert result.returncode == 2
        (line,) = result.stderr.splitlines()
        assert "--output-dir" in line
    result = run("transcribe", talk, "--output-dir", str(tmp_path / "out"), "--overwrite", "--server", "127.0.0.1:1")
    assert result.returncode == 1
    assert (tmp_path / "out" / "talk.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["a\nb.wav", "\x1b[31mred.wav", "a\u202evaw.wav", os.fsdecode(b"\xff.wav"), "[red].wav"], ids=ascii
)
def test_an_odd_name_is_one_line_of_what_can_be_seen(run, tmp_path, name):
    result = run("transcribe", str(tmp_path / name), "--server", "127.0.0.1:1")
    (line,) = result.stderr.splitlines()
    assert "does not exist" in line
    assert not set(line) & set("\x1b\u202e")
    result = run("transcribe", str(tmp_path), "--output-dir", str(tmp_path / name / "\0"), "--format", f"txt,{name}")
    assert result.returncode == 2
    assert not set(result.stderr) & set("\x1b\u202e")
