"""A gateway with a diarizer beside it; needs the diarizer's environment (docs/diarization.md)."""

import psutil
import pytest

from tests.harness.gateway import gateway_process
from triscribe.client import Client, RecognitionOptions
from triscribe.diarization.options import DiarizationOptions
from triscribe.types import Segment

pytestmark = [pytest.mark.diarizer, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def gateway(server):
    with gateway_process(server.url, diarizer="local", diarizer_required="true") as process:
        yield process


def test_every_word_has_a_speaker(gateway, recording):
    options = RecognitionOptions(diarization=DiarizationOptions(num_speakers=2))
    shares: list[float] = []
    early: list[Segment] = []
    with Client(gateway.address) as client:
        assert client.models().diarization
        transcript = client.transcribe(recording, options, progress=shares.append, final=early.append)
        assert client.recognize(recording, options).text == transcript.text
    assert transcript.speakers == ("SPEAKER_00", "SPEAKER_01")
    assert {turn.speaker for turn in transcript.turns} == set(transcript.speakers)
    words = [word for segment in transcript.segments for word in segment.words]
    assert {word.speaker for word in words} == set(transcript.speakers)
    assert tuple(early) == transcript.segments
    assert shares == sorted(shares)


def test_a_diarizer_that_dies_is_started_again(gateway, recording):
    children = psutil.Process(gateway.process.pid).children(recursive=True)
    diarizers = [child for child in children if "triscribe.diarizer" in " ".join(child.cmdline())]
    assert diarizers
    for diarizer in diarizers:
        diarizer.kill()
    with Client(gateway.address) as client:
        options = RecognitionOptions(diarization=DiarizationOptions())
        assert client.recognize(recording, options).speakers
