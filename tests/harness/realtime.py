"""The Realtime door on a server of its own, before a real Triton."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

from triscribe.errors import ServerError
from triscribe.gateway.realtime import RealtimeContext, realtime_route
from triscribe.service.auth import TokenFile
from triscribe.service.calls import Calls
from triscribe.service.limits import CallLimits
from triscribe.service.metrics import Metrics
from triscribe.service.sessions import Sessions
from triscribe.service.settings import GatewaySettings
from triscribe.service.streams import Streams
from triscribe.service.watch import Watcher
from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.triton.session import Session

ALIASES = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
)
PAGE = "https://page.example"
_BY_CALLERS = ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "UNAUTHENTICATED")
_STATUS = {"UNAUTHENTICATED": 401, "NOT_FOUND": 404, "RESOURCE_EXHAUSTED": 429, "UNAVAILABLE": 503}


class RealtimeServer:
    """Runs on a thread with an event loop of its own; `address` is HOST:PORT."""

    def __init__(self, triton: str, tokens: Path | None, settings: dict[str, Any]) -> None:
        self.settings = GatewaySettings(server=triton, tokens=tokens, **settings)
        self.metrics = Metrics()
        self.calls: Any = None
        self.loop: Any = None
        self.address = ""
        self._ready = threading.Event()
        self._stop: Any = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(60), "the server did not start"

    def stop(self) -> None:
        """End it."""
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def sessions(self) -> float:
        """Open calls."""
        return self.metrics.registry.get_sample_value("triscribe_gateway_in_flight", {"method": "Realtime"}) or 0.0

    def ended(self, code: str) -> float:
        """Calls that ended with a code."""
        samples = (sample for metric in self.metrics.registry.collect() for sample in metric.samples)
        name = "triscribe_gateway_requests_total"
        return sum(sample.value for sample in samples if sample.name == name and sample.labels["code"] == code)

    async def _serve(self) -> None:
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        settings = self.settings
        quick = RetryPolicy(give_up_after_s=0)
        watcher = Watcher(lambda: TritonConnection(settings.server, retry=quick), None, 3.0)
        looked = asyncio.Event()

        async def changed() -> None:
            if watcher.triton_alive:
                looked.set()

        watching = asyncio.create_task(watcher.run(changed))
        await looked.wait()
        tokens = TokenFile(settings.tokens) if settings.tokens else None
        self.calls = Calls(tokens, CallLimits(settings.max_calls, settings.max_calls_per_caller), self.metrics)
        async with AsyncExitStack() as stack:
            sessions = Sessions(
                quick=await stack.enter_async_context(Session(settings.server, 16, quick)),
                patient=await stack.enter_async_context(Session(settings.server, 16)),
                upload=lambda: Session(settings.server, 1),
            )
            voice = stack.enter_context(ThreadPoolExecutor(2))
            context = RealtimeContext(
                settings=settings,
                calls=self.calls,
                streams=Streams(settings, self.metrics, sessions, voice),
                watcher=watcher,
                draining=asyncio.Event(),
                origins=(PAGE,),
                resolve_model=lambda name: next(iter(watcher.catalogue.models)) if name in (None, *ALIASES) else name,
                peer=lambda scope: str(scope["client"][0]),
                error_body=error_body,
                refused=_refused,
            )
            app = Starlette(routes=[realtime_route(context)])
            config = uvicorn.Config(
                app, port=0, log_config=None, lifespan="off", ws_ping_timeout=300, ws_per_message_deflate=False
            )
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn tells it no other way
                await asyncio.sleep(0.01)
            self.address = f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            self._ready.set()
            await self._stop.wait()
            server.should_exit = server.force_exit = True
            await serving
            watching.cancel()


def error_body(error: ServerError) -> dict[str, str | None]:
    """As OpenAI's API tells errors."""
    kind = "invalid_request_error" if error.code in _BY_CALLERS else "server_error"
    return {"message": str(error), "type": kind, "param": error.field, "code": error.code.lower()}


def _refused(error: ServerError, request_id: str) -> Response:
    return JSONResponse({"error": error_body(error)}, _STATUS.get(error.code, 400), {"x-request-id": request_id})


@contextmanager
def realtime_server(triton: str, tokens: Path | None = None, **settings: Any) -> Iterator[RealtimeServer]:
    """A server that answers."""
    server = RealtimeServer(triton, tokens, settings)
    try:
        yield server
    finally:
        server.stop()


def text_of(events: Sequence[Any], kind: str, field: str) -> dict[str, str]:
    """What the events of a kind say of each item, put together."""
    said: dict[str, str] = {}
    for event in events:
        if event.type == f"conversation.item.input_audio_transcription.{kind}":
            said[event.item_id] = said.get(event.item_id, "") + getattr(event, field)
    return said
