"""The CPU images, really built and started: what `scripts/container_test` runs."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import jiwer
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from tests.harness.paths import REPOSITORY
from tests.harness.processes import wait_for
from triscribe.client import Client, Connection, RecognitionOptions
from triscribe.diarization.options import DiarizationOptions

from .buildah import Image, build, layers, make_base, mounted, name, size, started

pytestmark = pytest.mark.load

TARGETS = ("triton-cpu", "gateway", "diarizer")

OWN_LAYERS = 2
"""The wheel, and its installation; the config makes none."""


@pytest.fixture(scope="module")
def images() -> Iterator[dict[str, Image]]:
    """All three, built; layers of an earlier run are used."""
    make_base()
    with ExitStack() as stack:
        for target in TARGETS:
            first = build(target, "--build-arg", "MODELS=base")
            again = build(target, "--build-arg", "MODELS=base")
            print(f"{name(target)}: built in {first:.0f} s, unchanged in {again:.0f} s, {size(target)}")
        yield {target: stack.enter_context(mounted(target)) for target in TARGETS}


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.mark.parametrize("target", TARGETS)
def test_runs_as_nobody_in_particular_on_a_read_only_root(images, target):
    image = images[target]
    assert image.user == "10001:10001"
    seen = image.run("sh", "-c", "id -u; id -G; cat /proc/self/status | grep CapEff; touch /probe /opt/triscribe/probe")
    uid, groups, capabilities = seen.stdout.splitlines()
    assert (uid, groups, capabilities.split()[1]) == ("10001", "10001", "0000000000000000")
    assert seen.returncode != 0
    assert seen.stderr.count("Read-only file system") == 2
    assert image.run("sh", "-c", "touch /tmp/probe").returncode == 0
    assert image.labels["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.parametrize("target", TARGETS)
def test_no_build_tools_are_left(images, target):
    found = images[target].run("sh", "-c", "for tool in gcc cc g++ make git cmake rustc; do command -v $tool; done")
    assert found.stdout == ""
    assert not images[target].root.joinpath("opt/build").exists()


def test_torch_is_only_where_it_belongs(images):
    for target in TARGETS:
        packages = [path.name for path in images[target].root.glob("opt/triscribe/lib/python3*/site-packages/*")]
        assert ("torch" in packages) == (target == "diarizer"), target
        assert ("ctranslate2" in packages) != (target == "diarizer"), target


def test_the_doctor_finds_the_server_image_sound(images):
    ended = images["triton-cpu"].run("triscribe", "doctor", "--json")
    report = json.loads(ended.stdout)
    assert report["ok"], ended.stdout
    checks = {one["check"] for one in report["findings"] if one["status"] == "ok"}
    assert {"libraries", "triton", "shared_memory", "models", "onnx", "encode", "ports"} <= checks


def test_a_change_of_our_code_makes_only_the_last_layers_anew(images, tmp_path):
    context = tmp_path / "context"
    for entry in ("pyproject.toml", "README.md", "Dockerfile", ".dockerignore"):
        context.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / entry, context)
    for entry in ("requirements", "client", "model_repository"):
        shutil.copytree(REPOSITORY / entry, context / entry, ignore=shutil.ignore_patterns("__pycache__"))
    before = layers("gateway")
    with (context / "client/triscribe/health.py").open("a") as file:
        file.write("# changed\n")
    seconds = build("gateway", context=context)
    after = layers("gateway")
    print(f"{name('gateway')}: after a change of our code built in {seconds:.0f} s")
    common = [one for one, other in zip(before, after, strict=True) if one == other]
    assert before != after
    assert len(common) == len(before) - OWN_LAYERS


def test_a_conversation_goes_through_all_three(images, conversation, tmp_path):
    grpc, http, metrics, health, diarizer, gateway, gateway_metrics = free_ports(7)
    token = secrets.token_urlsafe()
    triton_log, gateway_log, diarizer_log = (tmp_path / f"{target}.log" for target in TARGETS)
    with ExitStack() as stack:
        stack.callback(lambda: show(triton_log, diarizer_log, gateway_log))
        ports = ("--grpc-port", grpc, "--http-port", http, "--metrics-port", metrics, "--health-port", health)
        triton_process = stack.enter_context(
            started(images["triton-cpu"], "--host", "127.0.0.1", *map(str, ports), log=triton_log)
        )
        stack.enter_context(
            started(
                images["diarizer"],
                *("--listen", f"127.0.0.1:{diarizer}"),
                environment={"TRISCRIBE_DIARIZER_TOKEN": token},
                log=diarizer_log,
            )
        )
        settings = {
            "HOST": "127.0.0.1",
            "METRICS_HOST": "127.0.0.1",
            "PORT": gateway,
            "METRICS_PORT": gateway_metrics,
            "SERVER": f"127.0.0.1:{grpc}",
            "DIARIZER": f"127.0.0.1:{diarizer}",
            "DIARIZER_TOKEN": token,
            "DIARIZER_REQUIRED": "true",
        }
        stack.enter_context(
            started(
                images["gateway"],
                environment={f"TRISCRIBE_GATEWAY_{key}": str(value) for key, value in settings.items()},
                log=gateway_log,
            )
        )
        checks = {
            "triton-cpu": [one.replace("8003", str(health)) for one in images["triton-cpu"].health],
            "diarizer": [one.replace("50061", str(diarizer)) for one in images["diarizer"].health],
            "gateway": [one.replace("8443", str(gateway)) for one in images["gateway"].health],
        }
        for target, check in checks.items():
            assert wait_for(lambda: images[target].run(*check).returncode == 0, 300), f"{target} is not healthy"  # noqa: B023
        with Client(Connection(f"127.0.0.1:{gateway}")) as client:
            transcript = client.transcribe(
                conversation.path, RecognitionOptions(language="en", diarization=DiarizationOptions())
            )
        assert triton_process.poll() is None
    normalise = EnglishTextNormalizer()
    wer = jiwer.wer(normalise(conversation.reference), normalise(transcript.text))
    speakers = {word.speaker for segment in transcript.segments for word in segment.words if word.speaker}
    print(f"WER {wer:.1%}, speakers {sorted(speakers)}")
    assert wer < 0.35
    assert len(speakers) == 2
    assert triton_process.returncode in (0, 128 + 15), "SIGTERM to process 1 ends it in order"


def show(*logs: Path) -> None:
    """Print the logs' ends; pytest shows them with a failure."""
    for log in logs:
        print(f"--- {log.name}\n{log.read_text(errors='replace')[-2500:]}")
