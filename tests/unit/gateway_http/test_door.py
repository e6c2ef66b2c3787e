"""What happens around a request: identity, limits, callers that dawdle or go away, origins, metrics."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx
import openai
import pytest
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets import Origin
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.unit.gateway_http.conftest import LONG, SHORT, UNCUT, opened, until
from triscribe.errors import ResourceExhaustedError
from triscribe.service.auth import make_token


async def raw(port: int, head: str, *, then: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which bytes were sent as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + then)
    await writer.drain()
    return reader, writer


def form_head(length: int, *, more: str = "") -> str:
    return (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {length}\r\n{more}\r\n"
    )


FILE_PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


async def test_a_short_recording_and_its_traces(door, caplog):
    caplog.set_level(logging.INFO)
    answer = await door.post(headers={"x-request-id": "mine"})
    assert (answer.status_code, answer.json()["text"]) == (200, "chunk 0.")
    assert answer.headers["x-request-id"] == "mine"
    (line,) = [record for record in caplog.records if record.msg == "call"]
    assert vars(line)["request_id"] == "mine"
    assert vars(line)["method"] == "CreateTranscription"
    report = (await door.get("/metrics")).text
    assert 'requests_total{code="OK",method="CreateTranscription",model="base"} 1.0' in report


async def test_tokens(tmp_path):
    token, line = make_token("shop")
    (tmp_path / "tokens").write_text(line)
    async with opened(tokens=tmp_path / "tokens") as door:
        refused = await door.post()
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.json()["error"]["code"] == "invalid_api_key"
        assert (await door.get("/metrics")).status_code == 401
        assert (await door.get("/health")).status_code == 200
        known = {"authorization": f"Bearer {token}"}
        assert (await door.post(headers=known)).status_code == 200
        assert (await door.get("/metrics", headers=known)).status_code == 200


async def test_a_refused_caller_does_not_have_to_send_its_file(tmp_path):
    """The answer comes while the body is still awaited; the caller waits for 100 Continue, as curl does."""
    (tmp_path / "tokens").write_text(make_token("shop")[1])
    async with opened(tokens=tmp_path / "tokens") as door:
        reader, writer = await raw(door.port, form_head(2**32, more="Expect: 100-continue\r\n"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()


async def test_a_file_that_is_too_large_is_refused_by_its_declared_length():
    async with opened(max_upload_bytes=1000, max_message_bytes=2000) as door:
        reader, writer = await raw(door.port, form_head(5000), then=FILE_PART)
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        writer.close()
        too_large = await door.post(file=bytes(1500))
        assert too_large.status_code == 413
        assert too_large.json()["error"]["param"] == "file"
        assert "1000 bytes" in too_large.json()["error"]["message"]
        assert too_large.headers["x-should-retry"] == "false"


async def test_a_file_that_is_too_large_is_refused_while_it_arrives():
    async with opened(max_upload_bytes=100_000) as door:
        head = form_head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked")
        reader, writer = await raw(door.port, head, then=b"%x\r\n" % len(FILE_PART) + FILE_PART + b"\r\n")
        for _ in range(4):
            writer.write(b"ffff\r\n" + bytes(65535) + b"\r\n")
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 413")
        writer.close()


async def test_a_head_that_does_not_come_costs_the_connection():
    async with opened(header_s=0.3) as door:
        slow = [await raw(door.port, "POST /v1/audio/transcriptions HTTP/1.1\r\nX-A: ") for _ in range(20)]
        silent = [await raw(door.port, "") for _ in range(20)]
        assert (await door.post()).status_code == 200
        for reader, writer in slow + silent:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), 10)
            writer.close()


async def test_a_slow_second_request_of_a_connection_ends_too():
    async with opened(header_s=0.3) as door:
        reader, writer = await raw(door.port, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /health HTTP")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 10)
        writer.close()


async def test_a_body_that_stalls_is_refused(door):
    async with opened(idle_s=0.3) as door:
        reader, writer = await raw(door.port, form_head(5000), then=FILE_PART)
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 408")
        assert (await door.post()).status_code == 200
        writer.close()


async def test_a_caller_that_goes_away_ends_the_work(door):
    for fields in ({}, {"stream": "true"}):
        door.triton.release.clear()
        waiting = asyncio.create_task(door.post(fields, file=LONG))
        await until(lambda: door.triton.working)
        waiting.cancel()
        await until(lambda: not door.triton.working and not door.calls.open_calls, 2)
        report = (await door.get("/metrics")).text
        assert 'requests_total{code="CANCELLED",method="CreateTranscription",model="base"}' in report
    door.triton.release.set()
    assert (await door.post()).status_code == 200


async def test_a_caller_that_goes_away_while_it_sends_leaves_nothing(door):
    _, writer = await raw(door.port, form_head(2**20), then=FILE_PART + bytes(70_000))
    await until(lambda: door.recordings._spools._bytes > 0)
    writer.transport.abort()
    await until(lambda: not door.calls.open_calls and not door.recordings._spools._bytes)


async def test_a_busy_server_says_when_to_come_back_and_the_sdk_does():
    async with opened(max_calls=1) as door:
        door.triton.release.clear()
        first = asyncio.create_task(door.post(file=LONG))
        await until(lambda: door.triton.working)
        busy = await door.post()
        assert (busy.status_code, busy.headers["retry-after"], busy.headers["retry-after-ms"]) == (429, "5", "5000")
        assert busy.headers["x-should-retry"] == "true"
        client = openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="x", max_retries=0)
        with pytest.raises(openai.RateLimitError):
            await client.audio.transcriptions.create(file=("a.wav", SHORT), model="base", extra_body=UNCUT)
        door.triton.release.set()
        await first
        door.triton.error = ResourceExhaustedError("the queue is full", retry_after_s=0.2)
        patient = openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="x", max_retries=3)
        seen: list[int] = []

        async def recover(response: httpx.Response) -> None:
            seen.append(response.status_code)
            door.triton.error = None

        patient._client.event_hooks["response"].append(recover)
        text = (await patient.audio.transcriptions.create(file=("a.wav", SHORT), model="base", extra_body=UNCUT)).text
        assert text == "chunk 0."
        assert seen[0] == 429
        assert seen[-1] == 200


async def test_open_calls_end_with_503_at_the_end_of_a_drain(door):
    door.triton.release.clear()
    waiting = asyncio.create_task(door.post(file=LONG))
    async with httpx.AsyncClient(base_url=door.url, timeout=30, trust_env=False) as client:
        asked: dict[str, Any] = {"data": UNCUT | {"stream": "true"}, "files": {"file": LONG}}
        async with client.stream("POST", "/v1/audio/transcriptions", **asked) as streamed:
            lines = streamed.aiter_lines()
            assert "chunk 0." in await anext(lines)
            await until(lambda: door.calls.open_calls == 2)
            door.calls.interrupt_all()
            last = [line async for line in lines if line][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "unavailable"
    plain = await waiting
    assert plain.status_code == 503
    assert plain.headers["retry-after"]


async def test_a_fault_of_ours_tells_nothing(door):
    door.triton.error = RuntimeError("secret path")
    answer = await door.post()
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["error"]["message"]
    door.triton.error = None
    assert (await door.post()).status_code == 200


async def test_pages_that_are_not_named_are_refused():
    page = {"origin": "https://app.example"}
    async with opened() as door:
        refused = await door.post(headers=page)
        assert refused.status_code == 403
        assert not [name for name in refused.headers if name.startswith("access-control")]
    async with opened(http_origins="https://app.example/, https://other.example") as door:
        answer = await door.post(headers=page)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
        assert (await door.post(headers={"origin": "https://evil.example"})).status_code == 403
        asks = page | {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        async with httpx.AsyncClient(base_url=door.url, trust_env=False) as client:
            preflight = await client.options("/v1/audio/transcriptions", headers=asks)
        assert preflight.status_code == 200
        assert "authorization" in preflight.headers["access-control-allow-headers"]


async def test_a_websocket_of_another_route_is_behind_the_same_door():
    """It has a request id, and pages that are not named are refused before it is accepted."""

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.state.request_id)
        await socket.close()

    async with opened(WebSocketRoute("/echo", echo), http_origins="https://app.example") as door:
        url = f"ws://127.0.0.1:{door.port}/echo"
        for page in (None, Origin("https://app.example")):
            async with connect(url, origin=page, additional_headers={"x-request-id": "mine"}, proxy=None) as socket:
                assert await socket.recv() == "mine"
                assert socket.response
                assert socket.response.headers["x-request-id"] == "mine"
        with pytest.raises(InvalidStatus) as caught:
            await connect(url, origin=Origin("https://evil.example"), proxy=None)
        assert caught.value.response.status_code == 403


async def test_unknown_routes_and_methods_have_bodies_that_the_sdk_reads(door):
    for path, status in (("/v1/audio/speech", 404), ("/v1/audio/transcriptions", 405)):
        answer = await door.get(path)
        assert answer.status_code == status
        assert answer.json()["error"]["code"] == "unknown_url"


async def test_models(door):
    names = [model["id"] for model in (await door.get("/v1/models")).json()["data"]]
    assert names[:3] == ["base", "tiny.en", "whisper-1"]
    for name in names:
        assert (await door.get(f"/v1/models/{name}")).json()["id"] == name
    assert (await door.get("/v1/models/large/v9")).status_code == 404


async def test_further_names_of_models():
    async with opened(http_models="fast=tiny.en, whisper-1") as door:
        for name, model in (("fast", "tiny.en"), ("whisper-1", "base"), ("tiny.en", "tiny.en")):
            assert (await door.post({"model": name})).status_code == 200
            assert door.triton.asked[-1]["model"] == model
        assert (await door.post({"model": "gpt-transcribe"})).status_code == 404


async def test_a_recording_whose_header_lies_gets_its_turn_all_the_same():
    """It claims half a second and holds 80, more than may be worked on at once."""
    lying = bytearray(LONG)
    async with opened(max_recognize_s=30) as door:
        lying[40:44] = (16_000).to_bytes(4, "little")
        honest = (await door.post(file=LONG)).json()["text"]
        assert (await door.post(file=bytes(lying))).status_code == 200
        assert honest.count("chunk") >= 3
