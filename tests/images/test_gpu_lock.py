"""The packages of the GPU image, installed and imported with that image's Python; the image itself needs its base."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.paths import REPOSITORY
from triscribe.doctor.libraries import SERVER

pytestmark = pytest.mark.load

PYTHON = "3.12"
"""Of nvcr.io/nvidia/tritonserver:26.07-py3 (Ubuntu 24.04); the Dockerfile asserts it."""

NO_MODULES = {"mpl_toolkits", "rapidjson-stubs", "tritonhttpclient"}
"""Named by packages, but nothing to import: a shared folder, types, and tritonclient's HTTP half, which is left out."""

_LOADER = REPOSITORY / "client/triscribe/doctor/_load.py"
_NAMES = """
import importlib.metadata, json, sys
known = importlib.metadata.packages_distributions()
print(json.dumps(sorted(name for name in known if not name.startswith("_") and name not in ("google", "nvidia"))))
"""
_PROVIDERS = """
import ctypes, json, pathlib, onnxruntime, nvidia.cublas
folder = pathlib.Path(nvidia.cublas.__path__[0]) / "lib"
ctypes.CDLL(str(folder / "libcublas.so.12"))
print(json.dumps(onnxruntime.get_available_providers()))
"""


def find_python() -> str:
    """The first Python of the image's version; pyenv's shims on PATH need not work."""
    candidates = [f"python{PYTHON}", *map(str, Path.home().glob(f".pyenv/versions/{PYTHON}.*/bin/python"))]
    for candidate in candidates:
        path = shutil.which(candidate)
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    pytest.fail(f"no Python {PYTHON} on this machine: install one (uv python install {PYTHON}, pyenv)")


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """A virtual environment of the image's Python with the lock in it."""
    folder: Path = tmp_path_factory.mktemp("gpu") / "venv"
    subprocess.run([find_python(), "-m", "venv", folder], check=True)
    installed = subprocess.run(
        [
            *(folder / "bin/python", "-m", "pip", "install", "--quiet", "--no-cache-dir"),
            *("--require-hashes", "--no-deps", "--requirement", REPOSITORY / "requirements/server-gpu.txt"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert installed.returncode == 0, installed.stderr
    return folder / "bin/python"


def ask(python: Path, code: str) -> list[str]:
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    answer: list[str] = json.loads(ended.stdout)
    return answer


def test_every_package_of_the_lock_is_importable(python):
    names = [name for name in ask(python, _NAMES) if name not in NO_MODULES]
    assert {name.partition(".")[0] for name in SERVER} <= set(names)
    ended = subprocess.run([python, _LOADER, *names, *SERVER], capture_output=True, text=True, check=True)
    states = {line["module"]: line for line in map(json.loads, ended.stdout.splitlines())}
    assert {name: state for name, state in states.items() if state["state"] != "loaded"} == {}
    print(f"{len(states)} modules loaded under Python {PYTHON}")


def test_onnxruntime_has_its_cuda_provider_and_ctranslate2_its_cublas(python):
    assert "CUDAExecutionProvider" in ask(python, _PROVIDERS)
