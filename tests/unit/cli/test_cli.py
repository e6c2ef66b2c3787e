"""Usage, without any server: in this process, as `main` does it."""

import pytest

from triscribe.cli import app as module


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
