"""What a session takes: every field is honoured, or refused by its name."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeTranscriptionSessionCreateRequest

from triscribe.errors import InvalidArgumentError, TooLargeError
from triscribe.gateway.realtime.messages import (
    MAX_APPEND_BYTES,
    Append,
    SessionConfig,
    client_event,
    event_id,
    parsed,
)
from triscribe.media.declared import PcmFormat

USUAL = SessionConfig.of_model("base")


def updated(**inputs: Any) -> SessionConfig:
    return USUAL.updated({"type": "transcription", "audio": {"input": inputs}})


def append(data: bytes | str) -> Append:
    audio = data if isinstance(data, str) else base64.b64encode(data).decode()
    event = client_event({"type": "input_audio_buffer.append", "audio": audio})
    assert isinstance(event, Append)
    return event


def test_the_usual_session_is_one_of_openais():
    shown = USUAL.shown("sess_1")
    session = RealtimeTranscriptionSessionCreateRequest.model_validate(shown, strict=True)
    assert session.audio is not None
    assert session.audio.input is not None
    assert session.audio.input.turn_detection is not None
    assert session.audio.input.turn_detection.type == "server_vad"
    assert (shown["id"], shown["object"]) == ("sess_1", "realtime.transcription_session")


def test_an_update_leaves_alone_what_it_does_not_name():
    first = updated(transcription={"language": "en", "keywords": ["Triton"]}, turn_detection={"threshold": 0.4})
    second = first.updated({"audio": {"input": {"transcription": {"prompt": "A call."}}}})
    wanted = second.input.transcription
    assert (wanted.model, wanted.language, wanted.keywords, wanted.prompt) == ("base", "en", ["Triton"], "A call.")
    assert second.input.turn_detection is not None
    assert second.input.turn_detection.threshold == 0.4
    off = second.updated({"audio": {"input": {"turn_detection": None}}})
    assert off.input.turn_detection is None
    assert off.input.transcription == wanted


@pytest.mark.parametrize(
    ("given", "pcm"),
    [
        ({"type": "audio/pcm"}, PcmFormat("linear16", 24000)),
        ({"type": "audio/pcm", "rate": 24000}, PcmFormat("linear16", 24000)),
        ({"type": "audio/pcm", "rate": 16000}, PcmFormat("linear16", 16000)),
        ({"type": "audio/pcmu"}, PcmFormat("mulaw", 8000)),
        ({"type": "audio/pcma"}, PcmFormat("alaw", 8000)),
    ],
)
def test_formats(given, pcm):
    assert updated(format=given).input.format.pcm() == pcm


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"format": {"type": "audio/opus"}}, "format.type"),
        ({"format": {"type": "audio/pcm", "rate": 44100}}, "format.rate"),
        ({"format": {"type": "audio/pcmu", "rate": 16000}}, "format"),
        ({"format": {"type": "audio/pcm", "channels": 2}}, "format.channels"),
        ({"noise_reduction": {"type": "near_field"}}, "noise_reduction"),
        ({"transcription": None}, "transcription"),
        ({"transcription": {"model": 7}}, "transcription.model"),
        ({"transcription": {"keywords": "Triton"}}, "transcription.keywords"),
        ({"transcription": {"delay": "none"}}, "transcription.delay"),
        ({"transcription": {"temperature": 0}}, "transcription.temperature"),
        ({"turn_detection": {"type": "semantic_vad"}}, "turn_detection.type"),
        ({"turn_detection": {"eagerness": "low"}}, "turn_detection.eagerness"),
        ({"turn_detection": {"create_response": True}}, "turn_detection.create_response"),
        ({"turn_detection": {"silence_duration_ms": "500"}}, "turn_detection.silence_duration_ms"),
        ({"turn_detection": {"idle_timeout_ms": 10**400}}, "turn_detection.idle_timeout_ms"),
        ({"turn_detection": {"threshold": 10**400}}, "turn_detection.threshold"),
        ({"voice": "alloy"}, "voice"),
    ],
)
def test_what_is_not_taken_is_refused_by_its_name(inputs, field):
    with pytest.raises(InvalidArgumentError) as caught:
        updated(**inputs)
    assert caught.value.field == f"session.audio.input.{field}"


@pytest.mark.parametrize(
    ("session", "field"),
    [
        ({"type": "realtime"}, "session.type"),
        ({"audio": {"output": {}}}, "session.audio.output"),
        ({"include": ["item.input_audio_transcription.tokens"]}, "session.include.0"),
        ({"instructions": "Be kind."}, "session.instructions"),
    ],
)
def test_a_session_that_does_more_than_transcribe_is_refused(session, field):
    with pytest.raises(InvalidArgumentError) as caught:
        USUAL.updated(session)
    assert caught.value.field == field


def test_audio_comes_out_as_it_went_in():
    assert append(b"\1\2\3\4").decoded(PcmFormat("linear16", 24000)) == b"\1\2\3\4"
    assert append(b"\1").decoded(PcmFormat("mulaw", 8000)) == b"\1"


@pytest.mark.parametrize("audio", ["!", "AAA", "AAAA\n", "ÄÄÄÄ", base64.b64encode(b"odd").decode()])
def test_audio_that_is_none_is_refused(audio):
    with pytest.raises(InvalidArgumentError) as caught:
        append(audio).decoded(PcmFormat("linear16", 24000))
    assert caught.value.field == "audio"


def test_one_event_holds_so_much_and_no_more():
    pcm = PcmFormat("linear16", 24000)
    assert len(append("A" * MAX_APPEND_BYTES).decoded(pcm)) == MAX_APPEND_BYTES // 4 * 3
    with pytest.raises(TooLargeError):
        append("A" * (MAX_APPEND_BYTES + 4)).decoded(pcm)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "NaN", '{"a": NaN}', "[" * 100_000, '"\\ud800"'])
def test_a_message_that_is_no_object_is_refused(text):
    with pytest.raises(InvalidArgumentError):
        parsed(text)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({}, "type"),
        ({"type": 7}, "type"),
        ({"type": "response.create"}, "type"),
        ({"type": "input_audio_buffer.append"}, "audio"),
        ({"type": "input_audio_buffer.append", "audio": 7}, "audio"),
        ({"type": "input_audio_buffer.commit", "final": True}, "final"),
        ({"type": "input_audio_buffer.clear", "event_id": 7}, "event_id"),
        ({"type": "session.update"}, "session"),
    ],
)
def test_an_event_that_is_not_taken_is_refused_by_the_field(message, field):
    with pytest.raises(InvalidArgumentError) as caught:
        client_event(message)
    assert caught.value.field == field


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["type", "event_id", "audio", "session"]) | st.text(), json_values))
def test_whatever_is_sent_is_taken_or_refused(message):
    """Nothing else is raised."""
    try:
        message = parsed(json.dumps(message))
        event_id(message)
        client_event(message)
    except InvalidArgumentError:
        pass


@given(st.dictionaries(st.sampled_from(["type", "audio", "include"]) | st.text(), json_values))
def test_whatever_a_session_is_updated_with_is_taken_or_refused(changes):
    fields = ["session"]
    try:
        USUAL.updated(changes)
    except InvalidArgumentError as error:
        fields.append(str(error.field))
    assert all(field.startswith("session") for field in fields)
