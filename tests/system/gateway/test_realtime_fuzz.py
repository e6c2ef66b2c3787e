"""Whatever a caller sends, the Realtime door tells it what is wrong: 120 sessions of up to 12 messages."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

pytestmark = pytest.mark.timeout(600)


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
formats = st.sampled_from(
    [{"type": "audio/pcm"}, {"type": "audio/pcm", "rate": 16000}, {"type": "audio/pcmu"}, {"type": "audio/pcma"}]
)
voices = st.none() | st.fixed_dictionaries(
    {"type": st.sampled_from(["server_vad", "semantic_vad"])},
    optional={
        "threshold": st.floats(0, 1) | values,
        "prefix_padding_ms": st.integers(-1, 3000) | values,
        "silence_duration_ms": st.integers(0, 6000) | values,
        "idle_timeout_ms": st.integers(0, 5000) | values,
    },
)
transcriptions = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["base", "tiny.en", "whisper-1"]) | values,
        "language": st.sampled_from(["en", "de", "multi", ""]) | values,
        "languages": st.lists(st.sampled_from(["en", "de"]) | st.text(max_size=4), max_size=2) | values,
        "prompt": values,
        "keywords": st.lists(st.text(max_size=8), max_size=3) | values,
        "delay": st.sampled_from(["minimal", "high"]) | values,
    },
)
inputs = st.fixed_dictionaries(
    {},
    optional={"format": formats | values, "turn_detection": voices | values, "transcription": transcriptions | values},
)
sessions = st.fixed_dictionaries(
    {}, optional={"type": st.just("transcription") | values, "audio": st.fixed_dictionaries({"input": inputs}) | values}
)
audio = st.binary(max_size=40_000).map(lambda data: base64.b64encode(data).decode())
silence = st.integers(0, 30_000).map(lambda size: base64.b64encode(bytes(2 * size)).decode())
events = st.one_of(
    st.fixed_dictionaries({"type": st.just("session.update"), "session": sessions | values}),
    st.fixed_dictionaries({"type": st.just("input_audio_buffer.append"), "audio": audio | silence | values}),
    st.fixed_dictionaries({"type": st.sampled_from(["input_audio_buffer.commit", "input_audio_buffer.clear"])}),
    st.dictionaries(st.sampled_from(["type", "event_id", "session"]) | st.text(max_size=8), values, max_size=4),
)
messages = events.map(json.dumps) | st.text(max_size=40) | st.binary(max_size=40)

FILE_AS_AUDIO = 1007
"""Closed by us: what looks like a file cannot be listened to while voice detection makes the turns."""


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(sent=st.lists(messages, max_size=12))
def test_whatever_is_sent_the_session_goes_on_or_says_why_not(realtime_gateway, sent):
    code = None
    with connect(f"ws://{realtime_gateway.http_address}/v1/realtime", compression=None, close_timeout=5) as socket:
        assert json.loads(socket.recv(30))["type"] == "session.created"
        try:
            for message in sent:
                socket.send(message)
            socket.send('{"type": "nothing", "event_id": "last"}')
            while json.loads(socket.recv(60)).get("error", {}).get("event_id") != "last":
                pass
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
    assert code in (None, FILE_AS_AUDIO)
    assert realtime_gateway.ended("Realtime", "INTERNAL") == 0
