"""The server says in a metric where each model runs, and what had to give way."""

import re
import urllib.request

import pytest

from triscribe.serving import EmbeddedTriton, ServeOptions

pytestmark = pytest.mark.server


def settled(triton):
    """Labels of the metric by model."""
    with urllib.request.urlopen(f"http://127.0.0.1:{triton.ports.metrics}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = [
        dict(re.findall(r'(\w+)="([^"]*)"', line)) for line in lines if line.startswith("triscribe_compute_type_info{")
    ]
    assert all(line.endswith(" 1") for line in lines if line.startswith("triscribe_compute_type_info{"))
    return {labels.pop("model"): labels for labels in found}


def test_each_model_is_told(server):
    found = settled(server)
    assert set(found) == {"base", "tiny.en", "align"}
    for name in ("base", "tiny.en"):
        assert found[name]["compute_type"].startswith("int8")
        assert (found[name]["device"], found[name]["fallback"]) == ("cpu", "none")
    assert found["align"] == {"device": "cpu", "compute_type": "float32", "fallback": "none"}


def test_a_format_that_gave_way_is_told():
    with EmbeddedTriton(ServeOptions(models=("tiny.en",), device="cpu", compute_type="float16")) as triton:
        found = settled(triton)["tiny.en"]
    assert found["fallback"] == "compute_type"
    assert found["compute_type"].startswith("int8")
