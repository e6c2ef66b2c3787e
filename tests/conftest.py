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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of Triton's log with a test that failed on it."""
    report = yield
    triton = getattr(item, "funcargs", {}).get("server")
    if report.failed and isinstance(triton, EmbeddedTriton) and (process := triton.supervisor.process):
        report.sections.append(("Triton's log", process.log_tail()))
    return report
