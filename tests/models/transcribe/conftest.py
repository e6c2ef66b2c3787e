import pytest

from triscribe_transcribe.checkpoint import Checkpoint

from .support import Bench, FakeWhisper


@pytest.fixture(scope="session")
def checkpoint(base_folder):
    return Checkpoint.read("base", base_folder, tasks=["transcribe", "translate"])


@pytest.fixture
def bench(checkpoint):
    return Bench(FakeWhisper(checkpoint))
