"""A session before a recogniser that fails: what was begun is told, what follows is gone on with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from tests.harness.processes import wait_for
from tests.unit.gateway_realtime.conftest import END, SECOND, Script, context_of, final
from triscribe.errors import AudioError, InternalError, UnavailableError
from triscribe.gateway.http.middleware import RequestIds
from triscribe.gateway.realtime import realtime_route
from triscribe.live.events import SpeechActivity, UtteranceFinal
from triscribe.service.metrics import Metrics


@contextmanager
def connected(script: Script, metrics: Metrics | None = None, **settings: Any) -> Iterator[Any]:
    """A socket to a door with these streams."""
    context = context_of(script, metrics, **settings)
    client = TestClient(Starlette(routes=[realtime_route(context)], middleware=[Middleware(RequestIds)]))
    with suppress(CancelledError), client.websocket_connect("/v1/realtime") as socket:  # it cancels what still runs
        yield socket


def kinds(socket: Any, last: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while not events or not events[-1]["type"].endswith(last):
        events.append(socket.receive_json())
    return events


def send(socket: Any, kind: str, **fields: Any) -> None:
    socket.send_text(json.dumps({"type": kind, **fields}))


BY_CALLER = {"audio": {"input": {"turn_detection": None}}}
BEGIN, STOP = SpeechActivity(True, 0.2, 0.1), SpeechActivity(False, 0.8, 0.9)


def test_a_buffer_that_failed_is_told_and_the_next_one_is_transcribed():
    with connected(Script([UnavailableError("restarting")], [final("Hello."), END])) as socket:
        send(socket, "session.update", session=BY_CALLER)
        for _ in range(2):
            send(socket, "input_audio_buffer.append", audio=SECOND)
            send(socket, "input_audio_buffer.commit")
        (failed,) = kinds(socket, "failed")[-1:]
        assert failed["error"]["code"] == "unavailable"
        assert failed["error"]["message"] == "restarting"
        events = kinds(socket, "completed")
    assert events[0]["previous_item_id"] == failed["item_id"]
    assert events[-1]["transcript"] == "Hello."
    (segment,) = [event for event in events if event["type"].endswith("segment")]
    assert (segment["start"], segment["end"]) == (1.1, 1.9)  # of the session's second second


def test_an_utterance_that_failed_is_told_and_listening_goes_on():
    """The second of audio that the failed stream had taken counts for the times of the next one."""
    lost, next_one = [BEGIN, UnavailableError("gone")], [BEGIN, STOP, final("Hello."), UtteranceFinal()]
    with connected(Script(lost, next_one, [END])) as socket:
        for _ in range(2):
            send(socket, "input_audio_buffer.append", audio=SECOND)
        first = kinds(socket, "failed")
        told = [event["type"].rpartition(".")[2] for event in first]
        assert told == ["created", "speech_started", "speech_stopped", "committed", "added", "done", "failed"]
        events = kinds(socket, "completed")
    assert events[0]["audio_start_ms"] == 1100
    assert events[-1]["transcript"] == "Hello."


def test_a_fault_of_ours_keeps_its_reason_to_the_log(caplog):
    with connected(Script([InternalError("secret path /x")])) as socket:
        send(socket, "session.update", session=BY_CALLER)
        send(socket, "input_audio_buffer.append", audio=SECOND)
        send(socket, "input_audio_buffer.commit")
        failed = kinds(socket, "failed")[-1]
    assert "secret" not in json.dumps(failed)
    assert failed["error"]["type"] == "server_error"
    assert any("item_failed" in record.message for record in caplog.records)


def test_what_is_cleared_does_not_fail():
    with connected(Script([AudioError("a file")])) as socket:
        send(socket, "session.update", session=BY_CALLER)
        send(socket, "input_audio_buffer.append", audio=SECOND)
        send(socket, "input_audio_buffer.clear")
        events = kinds(socket, "cleared")
    assert [event["type"].rpartition(".")[2] for event in events] == ["created", "updated", "cleared"]


@pytest.mark.parametrize(("error", "code"), [(AudioError("a file"), 1007), (UnavailableError("gone"), 1013)])
def test_a_stream_that_fails_without_an_utterance_ends_the_session(error, code):
    with connected(Script([error])) as socket:
        send(socket, "input_audio_buffer.append", audio=SECOND)
        assert kinds(socket, "error")[-1]["error"]["message"] == str(error)
        assert socket.receive() == {"type": "websocket.close", "code": code, "reason": kind_of(code)}


def kind_of(code: int) -> str:
    return {1007: "INVALID_ARGUMENT", 1013: "UNAVAILABLE"}[code]


@pytest.mark.parametrize(
    ("close", "appended", "code"),
    [
        (1000, False, "OK"),
        (1001, False, "OK"),
        (1006, False, "CANCELLED"),
        (1000, True, "CANCELLED"),
    ],
)
def test_how_a_session_ended_is_counted(close, appended, code):
    """A caller that hangs up in order, is cut off or leaves work behind."""
    metrics = Metrics()
    with connected(Script([BEGIN]), metrics) as socket:
        socket.receive_json()
        if appended:
            send(socket, "input_audio_buffer.append", audio=SECOND)
            kinds(socket, "speech_started")
        socket.close(close)
        labels = {"method": "Realtime", "model": "", "code": code}
        assert wait_for(lambda: metrics.registry.get_sample_value("triscribe_gateway_requests_total", labels) == 1.0, 5)


def test_who_says_nothing_is_asked_to_leave_unless_it_waits():
    class Slow(Script):
        async def recognize(self, call, live, packets):
            async for _ in packets:
                pass
            await asyncio.sleep(0.5)
            yield END

    with connected(Slow(), idle_s=0.1) as socket:
        send(socket, "session.update", session=BY_CALLER)
        send(socket, "input_audio_buffer.append", audio=SECOND)
        send(socket, "input_audio_buffer.commit")
        kinds(socket, "completed")  # five times as long as a pause may be
        assert kinds(socket, "error")[-1]["error"]["code"] == "timeout"
        assert socket.receive()["code"] == 1008
