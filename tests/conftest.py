"""Fixtures of the whole: one real Triton for all tests that need it, and real speech."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from triscribe.media import decoding
from triscribe.models import ModelStore
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.types import SAMPLE_RATE, Samples


@dataclass(frozen=True)
class Conversation:
    """Half a minute of two people on the telephone; `reference` is what they say."""

    path: Path
    samples: Samples
    reference: str

    def part(self, start_s: float, end_s: float) -> Samples:
        """The samples between two times."""
        return self.samples[int(start_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)]


@pytest.fixture(scope="session")
def conversation() -> Conversation:
    folder = ModelStore().pull("sample-conversation")
    path = folder / "sample.wav"
    lines = (folder / "sample.stm").read_text().splitlines()
    reference = " ".join(line.split(maxsplit=5)[5] for line in lines if line and not line.startswith(";;"))
    return Conversation(path, decoding.decode(path).samples, reference)


@pytest.fixture(scope="session")
def base_folder() -> Path:
    """The checkpoint that is the default."""
    return ModelStore().pull("base")


@pytest.fixture(scope="session")
def english_folder() -> Path:
    """An English-only checkpoint."""
    return ModelStore().pull("tiny.en")


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedTriton]:
    """A real Triton that serves base and tiny.en; shared, so a test that harms it must wait until it has recovered."""
    with EmbeddedTriton(ServeOptions(models=("base", "tiny.en"))) as triton:
        yield triton


ORDER = ("unit", "contract", "models", "system", "component", "deploy", "browser", "images")
"""Folders of tests: what is quick comes first, so that a typo is seen within a minute; then what takes longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests."""
    folder = Path(__file__).parent
    items.sort(key=lambda item: ORDER.index(item.path.relative_to(folder).parts[0]))


class _Workers(LoadScopeScheduling):  # type: ignore[misc]
    """Tests with the shared Triton are two lots, each of one worker, which starts it once; the rest is dealt by file.

    xdist's own `loadgroup` has no effect with pytest 9.2: it writes the group into `Item._nodeid`, which is not read.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if not _has_shared_triton(path):
            return path
        return "shared Triton: files" if "/files/" in path else "shared Triton: gateway, faults"


_SHARED = re.compile(r"^(?:async )?def \w+\([^)]*\b(?:server|gateway|http_gateway|client)\b[^)]*\)", re.M)
_OWN = re.compile(r"^(?:async )?def (?:server|small_triton)\(|\bsmall_triton\b", re.M)


@cache
def _has_shared_triton(path: str) -> bool:
    """Whether tests of a file take the fixture `server`, or one of tests/system/gateway that stands on it."""
    source = (Path(__file__).parents[1] / path).read_text()
    return "tests/system/" in path and bool(_SHARED.search(source)) and not _OWN.search(source)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Workers(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of Triton's log with a test that failed on it."""
    report = yield
    triton = getattr(item, "funcargs", {}).get("server")
    if report.failed and isinstance(triton, EmbeddedTriton) and (process := triton.supervisor.process):
        report.sections.append(("Triton's log", process.log_tail()))
    return report
