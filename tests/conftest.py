"""Fixtures of the whole: one real Triton for all tests that need it, and real speech."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

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


FIRST, LAST = ("unit", "contract", "models"), ("browser", "deploy", "images")
"""Folders of tests: what is quick comes first, so that a typo is seen within a minute."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests, and say which belong to one worker.

    All that use the shared Triton are one group, so that one worker alone starts it. The others are grouped by file,
    whose fixtures are then made once.
    """
    folder = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        part = item.path.relative_to(folder).parts[0]
        if part in FIRST:
            return FIRST.index(part)
        if "server" in _fixtures(item):  # the longest group: early, or it would end alone
            return len(FIRST)
        return len(FIRST) + (2 if part in LAST else 1)

    items.sort(key=place)
    for item in items:
        shared = next((name for name in ("server", "small_triton") if name in _fixtures(item)), None)
        item.add_marker(pytest.mark.xdist_group(shared or str(item.path.relative_to(folder))))


def _fixtures(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of Triton's log with a test that failed on it."""
    report = yield
    triton = getattr(item, "funcargs", {}).get("server")
    if report.failed and isinstance(triton, EmbeddedTriton) and (process := triton.supervisor.process):
        report.sections.append(("Triton's log", process.log_tail()))
    return report
