"""The installed command, as a process."""

import subprocess
import sys

import pytest

from tests.harness.paths import COMMAND


@pytest.mark.parametrize(
    ("arguments", "status", "stream"),
    [(("transcribe",), 2, "stderr"), (("--help",), 0, "stdout"), (("serve", "--grpc-port", "70000"), 2, "stderr")],
)
def test_the_command_ends_with_its_status(arguments, status, stream):
    result = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == status
    assert getattr(result, stream)
    assert not getattr(result, "stdout" if stream == "stderr" else "stderr")
    assert "Traceback" not in result.stderr


def told(command, **options):
    """The one line that a command ends with, and its status."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)
    (line,) = result.stderr.splitlines()
    assert result.stdout == ""
    return line, result.returncode


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(b"no media")
    return str(path)


def test_a_dead_server_is_told_in_one_line(talk):
    line, status = told([COMMAND, "transcribe", talk, "--server", "127.0.0.1:1"])
    assert status == 1
    assert line.startswith("Error: 127.0.0.1:1 does not answer")


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize(
    ("shell", "folder", "said"),
    [
        ('"$@" >&-', None, "standard output is closed"),
        ('ulimit -f 0; "$@"', "out", "File too large"),
        ('"$@"', "talk.wav/out", "in the way"),
        ('"$@"', "x" * 300, "File name too long"),
    ],
    ids=["closed", "no room", "a file in the way", "too long"],
)
def test_a_place_that_takes_nothing_is_told_before_anything_is_started(talk, tmp_path, shell, folder, said):
    command = [COMMAND, "transcribe", talk, *(["--output-dir", str(tmp_path / folder)] if folder else [])]
    line, status = told(["sh", "-c", shell, "sh", *command])
    assert status == 2
    assert said in line


def test_the_command_line_imports_nothing_heavy():
    """Usage errors and --help come at once: inference libraries and the hub are imported where they are used."""
    heavy = ["onnxruntime", "ctranslate2", "faster_whisper", "huggingface_hub", "scipy", "torch", "matplotlib"]
    code = f"import sys, triscribe.cli.app; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"
