import numpy as np
import pytest

from triscribe_transcribe import pipeline
from triscribe_transcribe.checkpoint import Checkpoint

from .support import Bench, FakeWhisper


@pytest.fixture(scope="session")
def checkpoint(base_folder):
    return Checkpoint.read("base", base_folder, tasks=["transcribe", "translate"])


@pytest.fixture
def bench(checkpoint):
    return Bench(FakeWhisper(checkpoint))


@pytest.fixture(autouse=True)
def perhaps_a_voice(monkeypatch):
    """Voice detection that is undecided about the noise that stands for speech here."""
    monkeypatch.setattr(pipeline, "voice", lambda samples: np.full(len(samples) // 320, 0.4, np.float32))
