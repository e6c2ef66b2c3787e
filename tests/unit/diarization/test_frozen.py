"""A local diarizer that answers no health check any more, and that nobody asks for anything else."""

import asyncio
import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from triscribe.diarization.client import Diarizer, DiarizerSettings, _Peer
from triscribe.errors import DiarizationError


@pytest.fixture
def diarizer(monkeypatch):
    """One whose process listens nowhere; `killed` counts its ends."""
    process: Any = SimpleNamespace(alive=True, accepts_calls=True, pid=1, killed=0, token=None)
    process.ends_within = lambda seconds: False

    def kill():
        process.killed += 1

    process.kill = kill
    made = Diarizer(DiarizerSettings(heartbeat_s=0.05))
    made._process = process

    async def peer(_):
        return _Peer("unix:/nowhere", None, process)

    monkeypatch.setattr(made, "_peer", peer)
    monkeypatch.setattr(made, "_current", lambda: process)
    return made, process


async def test_it_is_buried_once_it_was_silent_for_the_heartbeat(diarizer):
    made, process = diarizer
    assert not await made.is_serving(timeout_s=0.2)
    assert process.killed == 0  # one missed answer is none
    while not process.killed:  # the test's own limit ends it
        assert not await made.is_serving(timeout_s=0.2)
        await asyncio.sleep(0.01)
    assert process.killed == 1


async def test_one_that_still_starts_is_left_alone(diarizer):
    made, process = diarizer
    process.accepts_calls = False
    for _ in range(4):
        assert not await made.is_serving(timeout_s=0.2)
    assert process.killed == 0


async def test_a_full_disk_is_a_sentence_and_not_the_end_of_the_watcher(monkeypatch):
    """The folder of the process cannot be made: the health check says no, a job says why."""

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("triscribe.diarization.process.find_python", lambda _: Path("python"))
    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    made = Diarizer()
    assert not await made.is_serving(timeout_s=1)
    with pytest.raises(DiarizationError, match="No space left"):
        await made.diarize(np.zeros(16_000, np.float32))


async def test_a_closed_diarizer_starts_no_process(monkeypatch):
    """A job that lost its process while the command ended once started another, which nobody ended."""
    started: list[object] = []
    monkeypatch.setattr("triscribe.diarization.client.DiarizerProcess", started.append)
    made = Diarizer()
    made.close()
    with pytest.raises(DiarizationError, match="closed"):
        await made.diarize(np.zeros(16_000, np.float32))
    assert not await made.is_serving(timeout_s=1)
    assert started == []
    made.__enter__()
    assert len(started) == 1
