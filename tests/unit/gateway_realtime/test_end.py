"""How sessions end that the caller does not end, on the server that production has: a drain, and who never reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.harness.ports import free_port
from tests.unit.gateway_http.conftest import until
from tests.unit.gateway_realtime.conftest import END, SECOND, Script, context_of, final
from triscribe.gateway.http import server as http_server
from triscribe.gateway.http.middleware import RequestIds
from triscribe.gateway.http.server import HttpServer
from triscribe.gateway.realtime import RealtimeContext, realtime_route
from triscribe.service.metrics import Metrics

BY_CALLER = {"audio": {"input": {"turn_detection": None}}}


@dataclass
class Door:
    context: RealtimeContext
    server: HttpServer
    metrics: Metrics
    url: str

    def ended(self, code: str) -> float:
        labels = {"method": "Realtime", "model": "", "code": code}
        return self.metrics.registry.get_sample_value("triscribe_gateway_requests_total", labels) or 0.0


@asynccontextmanager
async def opened(script: Script, **settings: Any) -> AsyncIterator[Door]:
    metrics = Metrics()
    context = context_of(script, metrics, **{"http_port": free_port(), "drain_s": 5} | settings)
    app = Starlette(routes=[realtime_route(context)], middleware=[Middleware(RequestIds)])
    server = HttpServer(app, context.settings, 1.0)
    await server.start()
    try:
        yield Door(context, server, metrics, f"ws://127.0.0.1:{server.port}/v1/realtime")
    finally:
        await server.close()


async def said(socket: ClientConnection, last: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while not events or not events[-1]["type"].endswith(last):
            events.append(json.loads(await socket.recv()))
    return events


async def tell(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def closed(socket: ClientConnection) -> tuple[str, int]:
    """The code of the last event, and that of the end."""
    error = (await said(socket, "error"))[-1]["error"]
    with pytest.raises(ConnectionClosed) as caught:
        await socket.recv()
    assert caught.value.rcvd is not None
    return error["code"], caught.value.rcvd.code


class Held(Script):
    """What it tells waits until it is released."""

    def __init__(self, *streams: list[Any]) -> None:
        super().__init__(*streams)
        self.release = asyncio.Event()

    async def recognize(self, call, live, packets):
        async for event in super().recognize(call, live, packets):
            await self.release.wait()
            yield event


async def test_what_was_sent_before_a_drain_is_told_and_then_the_session_ends():
    """Nobody new is let in meanwhile; a session that waits for nothing ends at once."""
    script = Held([final("Hello."), END])
    async with opened(script) as door, connect(door.url, proxy=None) as busy, connect(door.url, proxy=None) as quiet:
        await tell(busy, "session.update", session=BY_CALLER)
        await tell(busy, "input_audio_buffer.append", audio=SECOND)
        await said(busy, "updated")
        door.server.stop_listening()
        door.context.draining.set()
        stopping = asyncio.create_task(door.server.stop())
        assert await closed(quiet) == ("unavailable", 1012)
        with pytest.raises(ConnectionRefusedError):
            await connect(door.url, proxy=None)
        await tell(busy, "input_audio_buffer.append", audio=SECOND)
        await tell(busy, "input_audio_buffer.commit")
        await said(busy, "done")
        script.release.set()
        assert (await said(busy, "completed"))[-1]["transcript"] == "Hello."
        assert await closed(busy) == ("unavailable", 1012)
        await stopping
        assert door.ended("UNAVAILABLE") == 2


async def test_listening_ends_with_what_was_heard():
    """Voice detection made the turns: the stream is closed, so that the end of what was sent is told."""

    class Listening(Script):
        async def recognize(self, call, live, packets):
            async for _ in packets:
                pass
            ended.set()
            yield END

    ended = asyncio.Event()
    async with opened(Listening()) as door, connect(door.url, proxy=None) as socket:
        await tell(socket, "input_audio_buffer.append", audio=SECOND)
        await tell(socket, "session.update", session={"include": None})
        await said(socket, "updated")
        door.context.draining.set()
        assert await closed(socket) == ("unavailable", 1012)
        assert ended.is_set()


async def test_a_session_that_does_not_end_in_time_is_interrupted():
    async with opened(Held([END])) as door, connect(door.url, proxy=None) as socket:
        await tell(socket, "session.update", session=BY_CALLER)
        await tell(socket, "input_audio_buffer.append", audio=SECOND)
        await tell(socket, "input_audio_buffer.commit")
        await said(socket, "done")
        door.context.draining.set()
        stopping = asyncio.create_task(door.server.stop())
        await asyncio.wait({stopping}, timeout=0.3)
        assert not stopping.done()
        door.context.calls.interrupt_all()
        assert await closed(socket) == ("unavailable", 1012)
        await stopping


async def test_who_never_reads_is_cut_off(monkeypatch):
    """Its own messages wait, too, and nothing of it stays behind."""
    monkeypatch.setattr(http_server, "_UNREAD_S", 0.1)
    prompt = {"audio": {"input": {"transcription": {"prompt": "Nobody reads this. " * 1000}}}}
    async with opened(Script(), idle_s=1.0) as door:
        silent = await connect(door.url, proxy=None, max_queue=1)
        await silent.recv()
        await tell(silent, "session.update", session=prompt)

        async def talk() -> None:
            while True:
                await tell(silent, "session.update", session={})

        talking = asyncio.create_task(talk())
        await until(lambda: door.ended("DEADLINE_EXCEEDED") == 1)
        await until(lambda: not door.server._server.server_state.connections)
        talking.cancel()
        silent.transport.abort()
        async with connect(door.url, proxy=None) as other:
            assert (await said(other, "created"))[-1]["session"]
