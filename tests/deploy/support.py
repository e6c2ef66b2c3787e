"""The chart rendered offline, and PromQL taken apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from helm_python import Chart

from tests.harness.paths import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
CHART = DEPLOY / "helm" / "triscribe"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "triscribe.json"
RELEASE, NAMESPACE = "demo", "speech"

EXAMPLES: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted((CHART / "examples").glob("*.yaml"))
}
VALUE_SETS = {
    **EXAMPLES,
    "default": {},
    "hpa": {**EXAMPLES["autoscaled"], "autoscaling": {"kind": "hpa"}},
    "baked": {
        "triton": {"modelVolume": {"source": "image"}},
        "tls": {"mode": "secrets", "secrets": {"triton": "a", "gateway": "b", "diarizer": "c"}},
        "diarizer": {"enabled": False},
        "gateway": {"http": {"enabled": False}},
        "podDisruptionBudget": False,
    },
}
"""The three of the documentation, and what they leave out."""


@cache
def _chart() -> Chart:
    return Chart.load(CHART)


def render(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Every object of the chart."""
    templates = _chart().render(values, name=RELEASE, namespace=NAMESPACE)
    documents = (
        document for path, text in templates.items() if path.endswith(".yaml") for document in yaml.safe_load_all(text)
    )
    return [document for document in documents if document]


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Those of one kind, by name."""
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def containers(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All that run for long."""
    deployments = of_kind(objects, "Deployment").values()
    return [one for deployment in deployments for one in deployment["spec"]["template"]["spec"]["containers"]]


@dataclass(frozen=True)
class Selector:
    """A metric, and the labels by which a query chooses its series."""

    metric: str
    labels: frozenset[str]


def selectors(query: str) -> set[Selector]:
    """What a query reads; Grafana's own variable of time is filled in."""
    found: set[Selector] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            labels = frozenset(matcher.name for matcher in node.matchers.matchers)
            found.add(Selector(str(node.name), labels))

    promql_parser.walk(promql_parser.parse(query.replace("$__rate_interval", "1m")), visit)
    return found


def alert_queries() -> list[str]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def dashboard_queries() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def scaler_queries() -> list[str]:
    """KEDA's, and what the HPA asks the adapter for."""
    scaled = of_kind(render(VALUE_SETS["autoscaled"]), "ScaledObject").values()
    queries = [trigger["metadata"]["query"] for one in scaled for trigger in one["spec"]["triggers"]]
    for scaler in of_kind(render(VALUE_SETS["hpa"]), "HorizontalPodAutoscaler").values():
        for metric in scaler["spec"]["metrics"]:
            asked = metric["external"]["metric"]
            labels = ",".join(f'{name}="{value}"' for name, value in asked["selector"]["matchLabels"].items())
            queries.append(f"{asked['name']}{{{labels}}}")
    return queries


def path_of(folder: Path) -> str:
    return str(folder.relative_to(REPOSITORY))
