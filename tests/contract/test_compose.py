"""compose.yaml against the compose specification, and against what the processes understand."""

import re
from typing import cast

import pytest
import yaml
from compose_spec import PyCompose
from typer.core import TyperGroup
from typer.main import get_command

import triscribe.diarizer.__main__ as diarizer_main
from tests.harness.paths import REPOSITORY
from triscribe.cli.app import app
from triscribe.gateway import GatewaySettings
from triscribe.models import load_manifest

PATH = REPOSITORY / "compose.yaml"
OURS = {"triton-cpu": "triton-cpu", "triton-gpu": "triton", "gateway": "gateway", "diarizer": "diarizer"}


@pytest.fixture(scope="module")
def compose():
    """The file with its anchors resolved and every variable at its default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", PATH.read_text())
    assert "${" not in text, "a variable without a default"
    return yaml.safe_load(text)


def test_it_follows_the_specification(compose):
    document = {key: value for key, value in compose.items() if not key.startswith("x-")}
    found = PyCompose.from_yaml(yaml.safe_dump(document))
    found.validate()
    assert set(found.to_spec().services or ()) == set(compose["services"])


def test_the_specification_is_really_enforced(compose):
    broken = {"services": {"gateway": {"image": "x", "read_only": "perhaps", "prots": ["1:1"]}}}
    with pytest.raises(Exception, match=r"read_only|prots|unknown"):
        PyCompose.from_yaml(yaml.safe_dump(broken)).to_spec()


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_each_profile_is_the_whole_service(compose, profile):
    started = {name for name, one in compose["services"].items() if profile in one["profiles"]}
    assert started == {f"triton-{profile}", "gateway", "diarizer", "prometheus", "grafana"}


def test_images_are_targets_of_the_dockerfile(compose):
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE))
    for service, target in OURS.items():
        assert compose["services"][service]["build"]["target"] == target
        assert target in targets


def test_every_service_is_hardened_and_listens_on_this_machine_alone(compose):
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), (name, port)
    assert compose["networks"]["inside"]["internal"] is True


def test_shared_memory_is_larger_than_dockers_default(compose):
    assert compose["services"]["triton-cpu"]["shm_size"] == compose["services"]["triton-gpu"]["shm_size"] == "1gb"


def test_one_gpu_is_chosen_and_insisted_on(compose):
    triton = compose["services"]["triton-gpu"]
    (device,) = triton["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "device_ids": ["0"], "capabilities": ["gpu"]}
    assert triton["command"][:2] == ["--device", "cuda"], "a silent fall back to the CPU would be no service"


def test_flags_settings_and_models_exist(compose):
    serve = {option for one in cast(TyperGroup, get_command(app)).commands["serve"].params for option in one.opts}
    for service in ("triton-cpu", "triton-gpu"):
        command = compose["services"][service]["command"]
        assert {word for word in command if word.startswith("--")} <= serve
        assert command[command.index("--model") + 1] in load_manifest()
    for name in compose["services"]["gateway"]["environment"]:
        assert name.removeprefix("TRISCRIBE_GATEWAY_").lower() in GatewaySettings.model_fields
    assert diarizer_main.read_arguments(compose["services"]["diarizer"]["command"]).listen


def test_mounted_files_exist_and_named_volumes_are_declared(compose):
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (REPOSITORY / source).exists() if source.startswith("./") else source in compose["volumes"]


def test_prometheus_asks_the_ports_that_the_images_expose():
    settings = yaml.safe_load((REPOSITORY / "deploy/prometheus/prometheus.yml").read_text())
    asked = {job["job_name"]: job["dns_sd_configs"][0]["port"] for job in settings["scrape_configs"]}
    metrics_port = GatewaySettings.model_fields["metrics_port"].default
    assert asked == {"triscribe-triton": 8002, "triscribe-gateway": metrics_port}
