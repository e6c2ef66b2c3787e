"""Speakers at the HTTP door, with a diarizer beside the gateway; needs the diarizer's environment."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import openai.types.audio as sdk
import pytest

from tests.harness.audio import wav
from tests.harness.gateway import gateway_process
from tests.harness.ports import free_port
from triscribe.client import Client, RecognitionOptions
from triscribe.diarization.options import DiarizationOptions

pytestmark = [pytest.mark.diarizer, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def door(server):
    with gateway_process(server.url, diarizer="local", diarizer_required="true", http_port=free_port()) as process:
        yield process


@pytest.fixture(scope="module")
def ai(door) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://{door.http_address}/v1", api_key="any") as client:
        yield client


@pytest.fixture(scope="module")
def ask(ai, recording):
    def ask(name: str = "diarized_json", **fields: Any) -> Any:
        return ai.audio.transcriptions.create(file=recording, model="tiny.en", response_format=name, **fields)

    return ask


def test_diarized_json_has_the_speakers_of_our_own(door, ask, recording):
    answer = ask()
    assert isinstance(answer, sdk.TranscriptionDiarized)
    letters = {"SPEAKER_00": "A", "SPEAKER_01": "B"}
    ours = json.loads(str(ask("text", extra_body={"response_format": "triscribe_json", "diarize": "true"})))
    told = [(one.start, one.end, one.speaker, one.text) for one in answer.segments]
    assert told == [(one["start"], one["end"], letters[one["speaker"]], one["text"]) for one in ours["segments"]]
    assert {one.speaker for one in answer.segments} == {"A", "B"}
    with Client(door.address) as client:
        options = RecognitionOptions(model="tiny.en", diarization=DiarizationOptions())
        grpc = client.recognize(recording, options)
    assert [(segment.text, letters[segment.speaker or ""]) for segment in grpc.segments] == [
        (one.text, one.speaker) for one in answer.segments
    ]


def test_a_stream_tells_each_segment_with_its_speaker(ask):
    events = list(ask(stream=True))
    segments = [event for event in events if isinstance(event, sdk.TranscriptionTextSegmentEvent)]
    deltas = [event for event in events if isinstance(event, sdk.TranscriptionTextDeltaEvent)]
    assert {event.speaker for event in segments} == {"A", "B"}
    assert [event.segment_id for event in deltas] == [event.id for event in segments]
    assert "".join(event.delta for event in deltas) == events[-1].text


def test_known_speakers_have_their_names(ask, conversation):
    """Clips of the two, from elsewhere in the talk, in either order."""
    clips = {"Diane": (18.5, 21.5), "Sheila": (22.0, 27.0)}
    urls = [
        f"data:audio/wav;base64,{base64.b64encode(wav(conversation.part(*cut))).decode()}" for cut in clips.values()
    ]
    answer = ask(known_speaker_names=list(clips), known_speaker_references=urls)
    spoken = {
        name: " ".join(one.text for one in answer.segments if one.speaker == name)
        for name in {one.speaker for one in answer.segments}
    }
    assert set(spoken) == set(clips)
    assert "Diane" in spoken["Diane"]
    assert "originally from Chicago" in spoken["Sheila"]
    alone = ask(known_speaker_names=["Sheila"], known_speaker_references=urls[1:])
    assert {one.speaker for one in alone.segments} == {"Sheila", "A"}


def test_references_that_cannot_be_used_are_refused_by_name(ask, conversation):
    for clip, says in (
        (wav(conversation.part(22, 23)), "1.0 s"),
        (wav(conversation.part(10, 25)), "longer"),
        (b"?", ""),
    ):
        url = f"data:audio/wav;base64,{base64.b64encode(clip).decode()}"
        with pytest.raises(openai.BadRequestError, match=f"the reference of 'Ada'.*{says}") as caught:
            ask(known_speaker_names=["Ada"], known_speaker_references=[url])
        assert caught.value.param == "known_speaker_references"
