"""The real diarizer process: results, and what happens when it dies.

Needs its environment (docs/diarization.md) and the weights of the default pipeline.
"""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
import wave
from pathlib import Path

import numpy as np
import psutil
import pytest
from pyannote.core import Annotation, Timeline
from pyannote.core import Segment as Span
from pyannote.metrics.diarization import DiarizationErrorRate

from tests.harness.processes import wait_for
from triscribe.diarization.client import Diarizer, DiarizerSettings
from triscribe.diarization.options import DiarizationOptions
from triscribe.diarization.process import DiarizerProcess, ProcessSettings
from triscribe.errors import DiarizationError
from triscribe.models import ModelStore
from triscribe.types import SAMPLE_RATE, SpeakerTurn

pytestmark = [pytest.mark.diarizer, pytest.mark.timeout(600)]

REFERENCE_SPEAKERS = 2  # of the sample conversation


@pytest.fixture(scope="session")
def conversation():
    with wave.open(str(ModelStore().pull("sample-conversation") / "sample.wav")) as file:
        assert (file.getframerate(), file.getnchannels()) == (SAMPLE_RATE, 1)
        return np.frombuffer(file.readframes(-1), "<i2").astype(np.float32) / 32768


@pytest.fixture(scope="module")
def diarizer():
    with Diarizer() as running:
        yield running


@pytest.fixture
def own_diarizer():
    """One that a test may break."""
    with Diarizer() as running:
        yield running


def reference_turns():
    lines = (ModelStore().pull("sample-conversation") / "sample.rttm").read_text().splitlines()
    fields = [line.split() for line in lines]
    return [SpeakerTurn(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in fields]


def diarization_error_rate(turns):
    def annotation(turns):
        return Annotation.from_records(((Span(t.start, t.end), i, t.speaker) for i, t in enumerate(turns)))

    whole = Timeline([Span(0.0, 30.0)])
    return DiarizationErrorRate()(annotation(reference_turns()), annotation(turns), uem=whole)


def test_the_sample_conversation(diarizer, conversation):
    heard: list[float] = []
    result = diarizer.diarize_sync(conversation, DiarizationOptions(embeddings=True), progress=heard.append)
    assert result.speakers == ("SPEAKER_00", "SPEAKER_01")
    assert {label: len(vector) for label, vector in result.embeddings.items()} == dict.fromkeys(result.speakers, 192)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    assert diarization_error_rate(result.turns) < 0.1


def test_exclusive_turns_never_overlap(diarizer, conversation):
    result = diarizer.diarize_sync(conversation)
    assert result.overlaps
    ends = [turn.end for turn in result.exclusive_turns]
    starts = [turn.start for turn in result.exclusive_turns]
    assert all(end <= start + 0.0011 for end, start in zip(ends[:-1], starts[1:], strict=True))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_number_of_speakers_is_kept(diarizer, conversation, count):
    assert len(diarizer.diarize_sync(conversation, DiarizationOptions(num_speakers=count)).speakers) == count


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 2), (None, 1), (3, 4), (3, None)])
def test_bounds_are_kept(diarizer, conversation, low, high):
    found = diarizer.diarize_sync(conversation, DiarizationOptions(min_speakers=low, max_speakers=high)).speakers
    assert (low or 1) <= len(found) <= (high or 99)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, np.float32),
        np.zeros(1, np.float32),
        np.zeros(SAMPLE_RATE, np.float32),
        np.zeros(20 * SAMPLE_RATE, np.float32),
        np.random.default_rng(0).normal(0, 1e-3, 20 * SAMPLE_RATE).astype(np.float32),
    ],
    ids=["empty", "one sample", "1 s of silence", "20 s of silence", "faint noise"],
)
@pytest.mark.parametrize("options", [DiarizationOptions(), DiarizationOptions(num_speakers=2, embeddings=True)])
def test_audio_without_speech_has_no_turns(diarizer, samples, options):
    result = diarizer.diarize_sync(samples, options)
    assert (result.turns, result.exclusive_turns, result.speakers, dict(result.embeddings)) == ((), (), (), {})


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5])
def test_a_short_file(diarizer, conversation, seconds):
    start = int(7.6 * SAMPLE_RATE)  # inside a turn
    piece = conversation[start : start + int(seconds * SAMPLE_RATE)]
    result = diarizer.diarize_sync(piece)
    assert len(result.speakers) <= 2
    assert all(0 <= turn.start < turn.end <= seconds for turn in result.turns)
    assert result.turns or seconds < 1


def test_one_speaker(diarizer, conversation):
    turns = reference_turns()
    alone = [t for t in turns if all(o is t or o.end <= t.start or o.start >= t.end for o in turns)]
    longest = max(alone, key=lambda turn: turn.end - turn.start)
    result = diarizer.diarize_sync(conversation[int(longest.start * SAMPLE_RATE) : int(longest.end * SAMPLE_RATE)])
    assert result.speakers == ("SPEAKER_00",)


def test_the_same_twice(diarizer, conversation):
    assert diarizer.diarize_sync(conversation) == diarizer.diarize_sync(conversation)


def test_an_unknown_pipeline(diarizer, conversation):
    with pytest.raises(DiarizationError, match="no pipeline 'nonsense'"):
        diarizer.diarize_sync(conversation, DiarizationOptions(pipeline="nonsense"))


def test_pytorch_is_there_and_ctranslate2_is_not(diarizer, conversation):
    diarizer.diarize_sync(conversation[:SAMPLE_RATE])
    theirs = Path(f"/proc/{diarizer.pid}/maps").read_text()
    ours = Path("/proc/self/maps").read_text()
    assert "libtorch" in theirs
    assert "ctranslate2" not in theirs
    assert "libtorch" not in ours


def test_the_token_is_not_on_the_command_line_and_the_folder_is_private(diarizer):
    process = psutil.Process(diarizer.pid)
    assert not any(diarizer._process.token in argument for argument in process.cmdline())
    assert os.stat(diarizer._process._root).st_mode & 0o777 == 0o700  # noqa: PTH116


# --- It dies -------------------------------------------------------------------------------------------------


def killing(diarizer, at, times):
    """A progress callback that kills the child when the job has come as far as `at`."""
    killed: list[int] = []

    def progress(fraction):
        if fraction >= at and len(killed) < times and diarizer.pid not in killed:
            killed.append(diarizer.pid)
            os.kill(diarizer.pid, signal.SIGKILL)

    return progress, killed


@pytest.fixture(scope="module")
def minute(conversation):
    """Long enough for several heartbeats."""
    return np.tile(conversation, 2)


@pytest.fixture(scope="module")
def expected(diarizer, minute):
    return diarizer.diarize_sync(minute)


def test_killed_before_it_is_ready(own_diarizer, conversation):
    os.kill(own_diarizer.pid, signal.SIGKILL)
    assert len(own_diarizer.diarize_sync(conversation).speakers) == REFERENCE_SPEAKERS


@pytest.mark.parametrize("at", [0.0, 0.03, 0.4], ids=["upload", "segmentation", "embedding"])
def test_killed_once_the_job_completes(own_diarizer, minute, expected, at):
    progress, killed = killing(own_diarizer, at, times=1)
    assert own_diarizer.diarize_sync(minute, progress=progress) == expected
    assert len(killed) == 1
    assert not psutil.pid_exists(killed[0])


def test_killed_twice_it_is_an_error(own_diarizer, conversation, monkeypatch):
    heard: list[int] = []

    def progress(fraction):
        heard.append(own_diarizer.pid)
        os.kill(own_diarizer.pid, signal.SIGKILL)

    # The second try is not heard of before it is further than the first, so kill by hand.
    original = Diarizer._answer

    async def answer(self, call, tell):
        return await original(self, call, progress)

    monkeypatch.setattr(Diarizer, "_answer", answer)
    with pytest.raises(DiarizationError, match="died 2 times: killed by SIGKILL"):
        own_diarizer.diarize_sync(conversation)
    assert len(set(heard)) == 2
    assert not any(psutil.pid_exists(pid) for pid in heard)


def test_frozen_it_is_replaced(conversation):
    with Diarizer(DiarizerSettings(heartbeat_s=8.0)) as diarizer:
        diarizer.diarize_sync(conversation)
        frozen = diarizer.pid
        assert frozen is not None
        os.kill(frozen, signal.SIGSTOP)
        assert len(diarizer.diarize_sync(conversation).speakers) == REFERENCE_SPEAKERS
        assert diarizer.pid != frozen
    assert not psutil.pid_exists(frozen)


def test_after_a_death_between_jobs_it_is_started_again(own_diarizer, conversation):
    first = own_diarizer.diarize_sync(conversation)
    os.kill(own_diarizer.pid, signal.SIGKILL)
    assert own_diarizer.diarize_sync(conversation) == first


async def test_cancelling_leaves_it_usable(own_diarizer, conversation):
    begun = asyncio.Event()
    progress = lambda share: begun.set() if share > 0.05 else None  # noqa: E731 - the model is loaded, the work goes on
    job = asyncio.create_task(own_diarizer.diarize(np.tile(conversation, 120), progress=progress))
    await asyncio.wait_for(begun.wait(), 120)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    started = time.monotonic()
    assert len((await own_diarizer.diarize(conversation)).speakers) == REFERENCE_SPEAKERS
    assert time.monotonic() - started < 120  # an hour takes longer, even alone on two cores


def test_closing_ends_it():
    with Diarizer() as diarizer:
        pid, process = diarizer.pid, diarizer._process
        assert pid is not None
        assert process is not None
        folder = process._root
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)
    assert not folder.exists()


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_no_orphan(signal_number):
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
                import time
                from triscribe.diarization.client import Diarizer
                with Diarizer() as diarizer:
                    print(diarizer.pid, flush=True)
                    time.sleep(600)
            """),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    try:
        child = psutil.Process(int(parent.stdout.readline()))
        assert wait_for(lambda: "-m" in child.cmdline(), 10)  # it is the diarizer, no longer a copy of its parent
        parent.send_signal(signal_number)
        parent.wait(10)
        child.wait(10)
    finally:
        parent.kill()
        parent.stdout.close()


# --- It cannot start -----------------------------------------------------------------------------------------


def interpreter(tmp_path, script):
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return ProcessSettings(python=path, start_timeout_s=2.0)


def test_an_environment_without_pytorch(conversation):
    settings = DiarizerSettings(process=ProcessSettings(python=Path(sys.executable)))
    with (
        Diarizer(settings) as diarizer,
        pytest.raises(DiarizationError, match=r"lacks torch.*requirements/diarizer\.txt"),
    ):
        diarizer.diarize_sync(conversation)


def test_it_ends_at_once(conversation, tmp_path):
    settings = DiarizerSettings(process=interpreter(tmp_path, "echo no luck >&2; exit 3"))
    with Diarizer(settings) as diarizer, pytest.raises(DiarizationError, match=r"no luck \(exit status 3\)"):
        diarizer.diarize_sync(conversation)


def test_the_start_deadline(conversation, tmp_path):
    started = time.monotonic()
    settings = DiarizerSettings(process=interpreter(tmp_path, "exec sleep 100"))
    with Diarizer(settings) as diarizer, pytest.raises(DiarizationError, match="in time"):
        diarizer.diarize_sync(conversation)
    assert time.monotonic() - started < 10


def test_not_a_program(tmp_path):
    (tmp_path / "python").write_text("nothing")
    with pytest.raises(DiarizationError, match="cannot be started"):
        DiarizerProcess(ProcessSettings(python=tmp_path / "python"))
