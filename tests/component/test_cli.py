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


def test_the_command_line_imports_nothing_heavy():
    """Usage errors and --help come at once: inference libraries and the hub are imported where they are used."""
    heavy = ["onnxruntime", "ctranslate2", "faster_whisper", "huggingface_hub", "scipy", "torch", "matplotlib"]
    code = f"import sys, triscribe.cli.app; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"
