"""The chart: accepted by Helm and by Kubernetes, and nothing in it that the code does not have."""

from __future__ import annotations

import re
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import typer
import yaml

from tests.deploy.support import CHART, EXAMPLES, NAMESPACE, RELEASE, VALUE_SETS, containers, of_kind, render
from tests.harness.paths import REPOSITORY
from triscribe.cli.app import app
from triscribe.diarizer import __main__ as diarizer_main
from triscribe.gateway.grpc.health import LIVE
from triscribe.service.settings import GatewaySettings

KUBERNETES = ("1.27", "1.37")
"""The oldest that Chart.yaml admits, and the newest that there are schemas of."""

CUSTOM = {"Certificate", "Issuer", "ScaledObject", "ServiceMonitor", "PrometheusRule"}
"""Kinds of others' operators, for which kubernetes-validate has no schema."""

IMAGES = {"triton", "triton-cpu", "gateway", "diarizer"}
COMMANDS = typer.main.get_command(app)

every_set = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)


@pytest.fixture
def objects(values: dict[str, Any]) -> list[dict[str, Any]]:
    return render(values)


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: found["spec"]["template"]["spec"] for name, found in of_kind(objects, "Deployment").items()}


def part(objects: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = (one for one in containers(objects) if one["name"] == name)
    return found


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_the_three_examples_are_there():
    assert set(EXAMPLES) == {"cpu-single-node", "one-gpu", "autoscaled"}


@every_set
def test_lint(values):
    report = helm_python.lint(CHART, values, strict=True, kube_version=f"v{KUBERNETES[0]}.0")
    assert report["total_charts_linted"] == 1
    assert not report["errors"]
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@every_set
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_accepts_every_object(objects, version):
    for found in objects:
        if found["kind"] not in CUSTOM:
            assert kubernetes_validate.validate(found, version, strict=True) == version


def test_the_validation_would_notice():
    deployment = of_kind(render({}), "Deployment")[f"{RELEASE}-triscribe-triton"]
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES[1], strict=True)


@pytest.mark.parametrize(
    "values",
    [
        {"triton": {"modles": ["base"]}},
        {"triton": {"models": []}},
        {"triton": {"modelVolume": {"source": "claim", "claim": ""}}},
        {"autoscaling": {"kind": "vpa"}},
        {"gateway": {"clientCertificates": True}},
        {"gateway": {"http": {"origins": ["app.example"]}}},
        {"gateway": {"http": {"origins": ["https://app.example/"]}}},
        {"gateway": {"idleSeconds": 0}},
        {"tls": {"mode": "secrets"}},
    ],
)
def test_wrong_values_are_refused(values):
    with pytest.raises((helm_python.HelmValuesError, helm_python.HelmRenderError)):
        render(values)


# --- what the chart says, the code knows ------------------------------------------------------------------------------


def arguments(container: dict[str, Any]) -> list[str]:
    return [argument.replace("$(CPUS)", "2") for argument in container.get("args", ())]


@every_set
def test_the_command_line_accepts_every_flag(objects):
    for pod in pods(objects).values():
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            program, *names = container["command"]
            if program == "triscribe":
                command: Any = COMMANDS
                for name in names:
                    command = command.commands[name]
                given = command.make_context(names[-1], arguments(container)).params
                if names == ["gateway"]:
                    GatewaySettings(**{name: value for name, value in given.items() if value is not None})
            else:
                assert container["command"] == ["python3", "-m", "triscribe.diarizer"]
                diarizer_main.read_arguments(arguments(container))


def test_a_flag_that_is_none_would_be_noticed():
    with pytest.raises(Exception, match="No such option"):
        COMMANDS.commands["serve"].make_context("serve", ["--http2-port=1"])  # type: ignore[attr-defined]


@every_set
def test_every_variable_is_a_setting(objects):
    known = {f"TRISCRIBE_GATEWAY_{name.upper()}" for name in GatewaySettings.model_fields}
    for container in containers(objects):
        for variable in container["env"]:
            assert variable["name"] in known | {"TRISCRIBE_CACHE", "CPUS"}


@every_set
def test_every_port_is_one_that_the_program_was_told(objects):
    for container in containers(objects):
        told = {int(port) for port in re.findall(r"(?:port=|listen=\S+:)(\d+)", "\n".join(container["args"]))}
        assert {port["containerPort"] for port in container["ports"]} <= told


@every_set
def test_every_probe_asks_for_what_the_program_answers(objects):
    serving = "\n".join(path.read_text() for path in (REPOSITORY / "client/triscribe/serving").glob("*.py"))
    for container in containers(objects):
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container[kind]
            if container["name"] == "triton":
                assert f'"{probe["httpGet"]["path"]}"' in serving
                assert probe["httpGet"]["port"] == "health"
            else:
                assert probe["grpc"]["port"] == ports["health"]
                assert probe["grpc"].get("service", "") in {"", LIVE}
        assert f"--health-port={ports['health']}" in container["args"]
    assert part(objects, "gateway")["livenessProbe"]["grpc"]["service"] == LIVE


def test_every_image_is_a_target_of_the_dockerfile():
    targets = set(re.findall(r"^FROM .* AS (\S+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE))
    used = {
        re.sub(r".*/(.+):.*", r"\1", container["image"])
        for values in VALUE_SETS.values()
        for container in containers(render(values))
    }
    assert used == IMAGES
    assert used <= targets


# --- what has to fit together within the chart ------------------------------------------------------------------------


@every_set
def test_services_reach_pods_and_gateways_reach_services(objects):
    templates = [found["spec"]["template"] for found in of_kind(objects, "Deployment").values()]
    services = of_kind(objects, "Service")
    for service in services.values():
        chosen = [one for one in templates if matches(service["spec"]["selector"], one["metadata"]["labels"])]
        assert len(chosen) == 1
        names = {port["name"] for port in chosen[0]["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    for argument in part(objects, "gateway")["args"]:
        if match := re.match(r"--(?:server|diarizer)=(?:dns:///)?([^.]+)\.([^.]+)\.svc:(\d+)", argument):
            name, namespace, port = match.groups()
            assert namespace == NAMESPACE
            assert int(port) in {one["port"] for one in services[name]["spec"]["ports"]}
    assert services[f"{RELEASE}-triscribe-triton"]["spec"]["clusterIP"] == "None"


@every_set
def test_only_gateways_reach_triton_and_the_diarizer(objects):
    deployments, policies = of_kind(objects, "Deployment"), of_kind(objects, "NetworkPolicy")
    gateway = deployments[f"{RELEASE}-triscribe-gateway"]["spec"]["template"]["metadata"]["labels"]
    for name, deployment in deployments.items():
        spec, labels = policies[name]["spec"], deployment["spec"]["template"]["metadata"]["labels"]
        assert matches(spec["podSelector"]["matchLabels"], labels)
        if name.endswith("gateway"):
            continue
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        ports = {
            port["name"]: port["containerPort"]
            for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
        }
        for rule in spec["ingress"]:
            (allowed,), (peer,) = rule["ports"], rule["from"]
            if allowed["port"] == ports["grpc"]:
                assert matches(peer["podSelector"]["matchLabels"], gateway)
            else:
                assert allowed["port"] == ports["metrics"]
                assert set(peer) == {"namespaceSelector"}
        assert ports["health"] not in {port["port"] for rule in spec["ingress"] for port in rule["ports"]}


@every_set
def test_pods_have_no_rights(objects):
    (account,) = of_kind(objects, "ServiceAccount").values()
    assert account["automountServiceAccountToken"] is False
    for pod in pods(objects).values():
        assert pod["serviceAccountName"] == account["metadata"]["name"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


@every_set
def test_shared_memory_is_memory(objects):
    pod = pods(objects)[f"{RELEASE}-triscribe-triton"]
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == mounts["/dev/shm"])
    assert volume["emptyDir"]["medium"] == "Memory"


@every_set
def test_a_pod_gets_the_time_that_it_takes_to_end(objects):
    for pod in pods(objects).values():
        container = pod["containers"][0]
        sleep, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
        assert sleep == "sleep"
        flags = " ".join(container["args"])
        variables = {one["name"]: one.get("value") for one in container["env"]}
        drain = re.search(r"--drain=(\d+)", flags)
        drain_s = int(drain[1] if drain else variables["TRISCRIBE_GATEWAY_DRAIN_S"])
        assert pod["terminationGracePeriodSeconds"] >= int(seconds) + drain_s + 10
        if age := re.search(r"--max-connection-age=(\d+)", flags):
            # Every gateway has connected anew, at the latest a tenth after that age, before the server ends.
            assert int(seconds) > 1.1 * int(age[1])


@pytest.mark.parametrize("name", ["one-gpu", "autoscaled", "cpu-single-node"])
def test_graphics_cards_are_asked_for_where_they_are_used(name):
    objects = render(EXAMPLES[name])
    pod, container = pods(objects)[f"{RELEASE}-triscribe-triton"], part(objects, "triton")
    gpus = container["resources"]["limits"].get("nvidia.com/gpu", 0)
    wanted = name != "cpu-single-node"
    assert bool(gpus) is wanted
    assert ("--device=cuda" in container["args"]) is wanted
    assert container["image"].split("/")[-1].split(":")[0] == ("triton" if wanted else "triton-cpu")
    assert ("nvidia.com/gpu.present" in pod.get("nodeSelector", {})) is wanted
    assert bool(pod.get("tolerations")) is wanted


@every_set
def test_tls_is_on_everywhere_or_nowhere(objects, values):
    mutual = values.get("tls", {}).get("mode", "certManager") != "none"
    flags = {container["name"]: " ".join(container["args"]) for container in containers(objects)}
    for name in flags.keys() & {"triton", "diarizer"}:
        assert ("--tls-client-ca=" in flags[name]) is mutual
    assert ("--server-ca=" in flags["gateway"]) is mutual
    variables = {one["name"] for one in part(objects, "gateway")["env"]}
    assert ("TRISCRIBE_GATEWAY_DIARIZER_CERT" in variables) is (mutual and "diarizer" in flags)
    secrets = {
        volume["secret"]["secretName"]
        for pod in pods(objects).values()
        for volume in pod["volumes"]
        if volume["name"] == "tls"
    }
    certificates = of_kind(objects, "Certificate")
    if certificates:
        issued = {found["spec"]["secretName"]: found["spec"] for found in certificates.values()}
        assert secrets <= set(issued)
        for name in secrets:
            assert {"server auth", "client auth"} <= set(issued[name]["usages"])
            assert "localhost" in issued[name]["dnsNames"]  # Triton's supervisor calls it by that name
        server = next(one for one in part(objects, "gateway")["args"] if one.startswith("--server="))
        host = server.removeprefix("--server=dns:///").partition(":")[0]
        assert any(host in spec.get("dnsNames", ()) for spec in issued.values())


@pytest.mark.parametrize("enabled", [True, False])
def test_the_http_door_is_open_everywhere_or_nowhere(enabled):
    objects = render({"gateway": {"http": {"enabled": enabled}, "service": {"httpPort": 80}}})
    gateway, name = part(objects, "gateway"), f"{RELEASE}-triscribe-gateway"
    assert ({"name": "http", "containerPort": 8080} in gateway["ports"]) is enabled
    assert ("--http-port=8080" in gateway["args"]) is enabled
    assert ("--http-port=0" in gateway["args"]) is not enabled
    ports = {one["name"]: one for one in of_kind(objects, "Service")[name]["spec"]["ports"]}
    assert ports.get("http") == ({"name": "http", "port": 80, "targetPort": "http"} if enabled else None)
    callers = of_kind(objects, "NetworkPolicy")[name]["spec"]["ingress"][0]["ports"]
    assert {one["port"] for one in callers} == ({8443, 8080} if enabled else {8443})


def test_what_the_gateway_is_told_of_web_pages_and_pauses(monkeypatch):
    told = {"http": {"origins": ["https://app.example", "http://localhost:3000"]}, "idleSeconds": 60}
    for variable in part(render({"gateway": told}), "gateway")["env"]:
        if "value" in variable:
            monkeypatch.setenv(variable["name"], variable["value"])
    settings = GatewaySettings(allow_plaintext=True)
    assert settings.http_origins == ("https://app.example", "http://localhost:3000")
    assert settings.idle_s == 60


@pytest.mark.parametrize("name", ["autoscaled", "hpa"])
def test_scaling(name):
    objects = render(VALUE_SETS[name])
    scalers = of_kind(objects, "ScaledObject") | of_kind(objects, "HorizontalPodAutoscaler")
    deployments = of_kind(objects, "Deployment")
    assert set(scalers) == {f"{RELEASE}-triscribe-triton", f"{RELEASE}-triscribe-diarizer"}
    for scaler in scalers.values():
        target = deployments[scaler["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in target["spec"]  # an upgrade would undo the scaling
    assert "replicas" in deployments[f"{RELEASE}-triscribe-gateway"]["spec"]


def test_monitoring():
    objects = render(EXAMPLES["autoscaled"])
    services = of_kind(objects, "Service").values()
    jobs = set()
    for monitor in of_kind(objects, "ServiceMonitor").values():
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        selector = monitor["spec"]["selector"]["matchLabels"]
        (service,) = (one for one in services if matches(selector, one["metadata"]["labels"]))
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        jobs.add(service["metadata"]["name"])
    assert jobs == {f"{RELEASE}-triscribe-triton", f"{RELEASE}-triscribe-gateway-metrics"}
    for scaler in of_kind(objects, "ScaledObject").values():
        assert f'job="{RELEASE}-triscribe-gateway-metrics"' in scaler["spec"]["triggers"][0]["metadata"]["query"]
    (rules,) = of_kind(objects, "PrometheusRule").values()
    assert rules["spec"] == yaml.safe_load((REPOSITORY / "deploy/prometheus/alerts.yml").read_text())
    dashboard = of_kind(objects, "ConfigMap")[f"{RELEASE}-triscribe-dashboard"]
    assert dashboard["data"]["triscribe.json"] == (REPOSITORY / "deploy/grafana/triscribe.json").read_text()
