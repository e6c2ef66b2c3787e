"""Alerts and dashboard against the real thing: promtool, and a Prometheus that scrapes running servers."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from openai import OpenAI

from tests.deploy.support import (
    ALERTS,
    EXAMPLES,
    Selector,
    alert_queries,
    containers,
    dashboard_queries,
    render,
    scaler_queries,
    selectors,
)
from tests.harness.audio import pcm16
from tests.harness.gateway import GatewayProcess, gateway_process
from tests.harness.paths import REPOSITORY
from tests.harness.ports import free_port
from tests.harness.processes import wait_for
from triscribe.client import AsyncClient, LiveOptions, RecognitionOptions
from triscribe.serving.sizing import visible_gpus
from triscribe.types import SAMPLE_RATE

NEEDS_GPU = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes", "nv_gpu_power_usage"}
"""The only metrics that may be missing here: Triton exports them for each GPU that it finds, and for none without."""

OF_PROMETHEUS = {"namespace", "job", "instance"}
"""Labels that the server which scrapes attaches, not the one which is scraped."""

RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


@pytest.fixture(scope="session")
def prometheus_folder() -> Path:
    """Where prometheus and promtool are; fetched once."""
    command = [str(REPOSITORY / "scripts" / "fetch_prometheus")]
    fetched = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert fetched.returncode == 0, fetched.stderr
    return Path(fetched.stdout.strip())


def promtool(folder: Path, *arguments: str) -> None:
    done = subprocess.run([folder / "promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_rules(prometheus_folder):
    promtool(prometheus_folder, "check", "rules", "--lint=all", "--lint-fatal", str(ALERTS))


def test_each_alert_fires_when_it_should(prometheus_folder):
    promtool(prometheus_folder, "test", "rules", str(ALERTS.with_name("alerts_test.yml")))


def test_each_alert_has_a_test_and_a_remedy():
    tests = yaml.safe_load(ALERTS.with_name("alerts_test.yml").read_text())["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    alerts = {rule["alert"] for rule in RULES}
    assert fired == alerts
    described = set(re.findall(r"`(Triscribe\w+)`", (REPOSITORY / "docs" / "monitoring.md").read_text()))
    assert described == alerts


# --- against running servers ------------------------------------------------------------------------------------------


class Prometheus:
    """A running one, asked over its API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def ask(self, path: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            body = json.load(answer)
        assert body["status"] == "success", body
        return body["data"]

    def values(self, query: str) -> list[float]:
        return [float(one["value"][1]) for one in self.ask("query", query=query)["result"]]


@pytest.fixture(scope="module")
def gateway(server) -> Iterator[GatewayProcess]:
    with gateway_process(server.url, health_port=0, http_port=free_port()) as process:
        yield process


@pytest.fixture(scope="module")
def traffic(gateway, conversation) -> None:
    """A call of each kind: a metric with labels appears with its first call."""

    async def microphone() -> AsyncIterator[bytes]:
        audio = pcm16(conversation.part(0, 8))
        for start in range(0, len(audio), 2 * SAMPLE_RATE):
            yield audio[start : start + 2 * SAMPLE_RATE]

    async def call() -> None:
        async with AsyncClient(gateway.address) as client:
            await client.recognize(conversation.path)
            await client.transcribe(conversation.path)
            events = client.stream(microphone(), RecognitionOptions(language="en"), LiveOptions())
            assert [event async for event in events]

    asyncio.run(call())
    with OpenAI(base_url=f"http://{gateway.http_address}/v1", api_key="any") as client:
        client.audio.transcriptions.create(file=conversation.path, model="whisper-1")


@pytest.fixture(scope="module")
def prometheus(server, gateway, traffic, prometheus_folder, tmp_path_factory) -> Iterator[Prometheus]:
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    targets = {"gateway": gateway.metrics_port, "triton": server.ports.metrics}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {"job_name": f"triscribe-{name}", "static_configs": [{"targets": [f"127.0.0.1:{number}"]}]}
            for name, number in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        str(prometheus_folder / "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            running = Prometheus(port)
            assert wait_for(running.ready, 60), (folder / "log").read_text()
            # Two scrapes of each, so that rates have something to go on.
            assert wait_for(lambda: len(running.values("count_over_time(up[1m]) > 3 and up == 1")) == 2, 60)
            yield running
        finally:
            process.terminate()
            process.wait(20)


def read_by(queries: list[str]) -> set[Selector]:
    return {selector for query in queries for selector in selectors(query)}


def without_variables(query: str) -> str:
    return query.replace("$__rate_interval", "1m").replace("$namespace", ".*")


@pytest.mark.parametrize("queries", [alert_queries, dashboard_queries, scaler_queries])
def test_every_metric_is_exported(prometheus, queries):
    exported = set(prometheus.ask("label/__name__/values"))
    wanted = read_by(queries())
    assert wanted
    missing = {selector.metric for selector in wanted} - exported
    assert missing <= (set() if visible_gpus() else NEEDS_GPU)
    for selector in wanted:
        for label in selector.labels - OF_PROMETHEUS:
            assert prometheus.values(f'{selector.metric}{{{label}!=""}}'), f"{selector.metric} has no label {label}"


def test_every_method_that_a_query_names_is_one():
    source = "\n".join(path.read_text() for path in (REPOSITORY / "client/triscribe/gateway").rglob("*.py"))
    proto = (REPOSITORY / "proto/triscribe/v1/speech.proto").read_text()
    known = set(re.findall(r"rpc (\w+)", proto)) | set(re.findall(r'"(Create\w+|\w+Models?|Realtime)"', source))
    named = re.findall(r'method=~?"([^"]+)"', "\n".join(alert_queries() + dashboard_queries()))
    assert {method for names in named for method in names.split("|")} <= known
    assert {"Recognize", "CreateTranscription", "CreateTranslation"} <= {m for names in named for m in names.split("|")}


def test_every_exemption_is_used():
    wanted = {selector.metric for selector in read_by(alert_queries() + dashboard_queries())}
    assert wanted >= NEEDS_GPU


def test_the_dashboard_shows_something(prometheus):
    """Every query is valid, and only those of errors and GPUs are empty."""
    empty = [query for query in dashboard_queries() if not prometheus.values(without_variables(query))]
    assert [query for query in empty if "nv_gpu" not in query and 'code!="OK"' not in query] == []


def test_the_rules_are_evaluated(prometheus):
    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]

    assert wait_for(lambda: all(rule["health"] != "unknown" for rule in rules()), 60)
    assert {rule["name"] for rule in rules()} == {rule["alert"] for rule in RULES}
    assert [rule for rule in rules() if rule["health"] != "ok"] == []
    assert [rule["name"] for rule in rules() if rule["state"] == "firing"] == []


def test_every_probe_of_the_gateway_passes(gateway):
    (container,) = (one for one in containers(render(EXAMPLES["one-gpu"])) if one["name"] == "gateway")
    port = gateway.events("listening")[0]["health_port"]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            service = container[kind]["grpc"].get("service", "")
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
