"""A step of the machine's clock: no deadline, wait or measurement reads the time of day."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("client", "model_repository")
    for path in (ROOT / folder).rglob("*.py")
    if "_pb2" not in path.name
]
OF_THE_DAY = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}


def readings(source):
    """Lines that ask for the time of day."""
    tree = ast.parse(source)
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for alias in node.names
        if alias.name in ("time", "time_ns")
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if (owner, node.attr) in OF_THE_DAY:
                found.append(node.lineno)
        elif isinstance(node, ast.Name) and node.id in names:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    "source",
    ["import time\ntime.time()", "from time import time\ntime()", "import datetime as d\nd.datetime.now()"],
)
def test_a_reading_is_found(source):
    assert readings(source) == [2]


def test_nothing_of_ours_reads_the_time_of_day():
    assert len(SOURCES) > 100
    assert {str(path.relative_to(ROOT)): found for path in SOURCES if (found := readings(path.read_text()))} == {}
