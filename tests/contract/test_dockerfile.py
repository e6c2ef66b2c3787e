"""What of the Dockerfile can be held without building it; tests/images builds it."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
from dockerfile_parse import DockerfileParser
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.core import TyperGroup
from typer.main import get_command

from tests.harness.paths import REPOSITORY
from triscribe.cli.app import app
from triscribe.gateway import GatewaySettings
from triscribe.models import load_manifest

IMAGES = ("triton", "triton-cpu", "gateway", "diarizer")
LOCKS = REPOSITORY / "requirements"


@pytest.fixture(scope="module")
def stages():
    """Instructions by stage, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    stage = ""
    for one in DockerfileParser(str(REPOSITORY / "Dockerfile")).structure:
        if one["instruction"] == "FROM":
            stage = one["value"].split()[-1]
        if stage:
            found.setdefault(stage, []).append(one)
    return found


def values(stages, stage, instruction):
    return [one["value"] for one in stages[stage] if one["instruction"] == instruction]


def test_hadolint_has_nothing_to_say():
    linter = Path(sys.executable).with_name("hadolint")
    ended = subprocess.run([linter, REPOSITORY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_there_is_an_image_for_each_process(stages):
    assert set(IMAGES) <= set(stages)


@pytest.mark.parametrize("image", IMAGES)
def test_each_image_says_who_it_is_and_how_it_is_doing(stages, image):
    assert values(stages, image, "USER") == ["10001:10001"]
    (health,) = values(stages, image, "HEALTHCHECK")
    command = json.loads(health.partition(" CMD ")[2])
    assert command[:2] == ["python3", "-m"]
    assert importlib.util.find_spec(command[2])
    labels = " ".join(values(stages, image, "LABEL"))
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in labels
    (entrypoint,) = values(stages, image, "ENTRYPOINT")
    program, *arguments = json.loads(entrypoint)
    if program == "triscribe":
        command = cast(TyperGroup, get_command(app)).commands[arguments[0]]
        options = {option for one in command.params for option in one.opts}
        assert {word for word in arguments if word.startswith("--")} <= options
    else:
        assert [program, *arguments] == ["python3", "-m", "triscribe.diarizer"]
        assert importlib.util.find_spec("triscribe.diarizer.__main__")


def test_every_file_that_is_copied_exists_and_is_let_into_the_build(stages):
    allowed = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for stage in stages:
        for value in values(stages, stage, "COPY"):
            words = value.split()
            if words[0].startswith("--from="):
                assert words[0].removeprefix("--from=") in stages
                continue
            for source in words[:-1]:
                assert (REPOSITORY / source).exists(), source
                assert any(Path(source).match(pattern) for pattern in allowed), f"{source} is kept out of the build"


def test_only_locks_with_hashes_are_installed(stages):
    for stage in stages:
        for value in values(stages, stage, "RUN"):
            for call in re.findall(r"pip install[^&]*", value):
                assert "--no-deps" in call
                assert "--require-hashes" in call or "--no-index" in call


def test_environment_variables_of_the_gateway_are_settings(stages):
    for name in re.findall(r"TRISCRIBE_GATEWAY_(\w+)=", " ".join(values(stages, "gateway", "ENV"))):
        assert name.lower() in GatewaySettings.model_fields


def test_the_models_that_are_baked_in_are_known(stages):
    pulled = re.findall(r"models pull ([a-z][\w.-]*)", " ".join(values(stages, "embedded-triton", "RUN")))
    assert pulled
    assert all(name in load_manifest() for name in pulled)


def pinned(lock):
    lines = (LOCKS / f"{lock}.txt").read_text().splitlines()
    found = [re.match(r"([a-z0-9][\w.-]*)==([\w.]+)", line) for line in lines]
    return {one.group(1): one.group(2) for one in found if one}


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("client", ()),
        ("server", ("formats", "local", "server")),
        ("server-gpu", ("formats", "local", "server")),
        ("gateway", ("formats", "local", "gateway", "tracing")),
    ],
)
def test_each_lock_has_what_its_extras_name(lock, extras):
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    named = [*project["dependencies"], *(one for extra in extras for one in optional[extra])]
    wanted = {canonicalize_name(Requirement(one).name) for one in named} - {"triscribe"}
    if lock == "server-gpu":  # has onnxruntime-gpu instead
        wanted.discard(canonicalize_name("onnxruntime"))
    assert wanted <= set(pinned(lock))


def test_torch_is_only_in_the_diarizer():
    """CTranslate2 imports it when it finds it, and their CUDA libraries clash."""
    assert "torch" in pinned("diarizer")
    assert "ctranslate2" not in pinned("diarizer")
    for lock in ("server", "server-gpu", "gateway"):
        assert "torch" not in pinned(lock)


def test_the_gpu_lock_has_one_onnxruntime_and_the_versions_that_are_tested():
    gpu, tested = pinned("server-gpu"), pinned("server")
    assert "onnxruntime" not in gpu, "its files and those of onnxruntime-gpu overwrite each other"
    assert "nvidia-cublas-cu12" in gpu
    for name in ("ctranslate2", "faster-whisper", "tokenizers", "onnx"):
        assert gpu[name] == tested[name]
    assert gpu["onnxruntime-gpu"] == tested["onnxruntime"]
    ours = {name for name in gpu if not name.startswith(("nvidia-", "onnxruntime"))}
    assert ours <= set(tested)


@pytest.mark.parametrize("lock", [path.stem for path in sorted(LOCKS.glob("*.txt"))])
def test_every_locked_package_has_hashes(lock):
    text = (LOCKS / f"{lock}.txt").read_text()
    for block in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]
