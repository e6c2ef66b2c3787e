"""The HTTP door over a real socket, with a stand-in for Triton."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx
import numpy as np
import pytest
from starlette.routing import BaseRoute

from tests.harness.audio import wav
from tests.harness.ports import free_port
from tests.harness.processes import wait_for
from triscribe.gateway.http.app import HttpContext, http_app
from triscribe.gateway.http.server import HttpServer
from triscribe.service.auth import TokenFile
from triscribe.service.calls import Calls
from triscribe.service.catalogue import Catalogue, ServedModel
from triscribe.service.limits import CallLimits
from triscribe.service.metrics import Metrics
from triscribe.service.recordings import Recordings
from triscribe.service.sessions import Sessions
from triscribe.service.settings import GatewaySettings
from triscribe.service.watch import Watcher
from triscribe.types import SAMPLE_RATE, ChunkResult, Segment, Word

NOISE = np.random.default_rng(0).normal(0, 0.1, 40 * SAMPLE_RATE).astype(np.float32)
SHORT = wav(NOISE[:SAMPLE_RATE])
LONG = wav(np.concatenate([NOISE, NOISE]))
UNCUT = {"language": "en", "vad_filter": "false"}
"""Every second is transcribed, so that noise is text."""


class Triton:
    """Answers chunks with two words each, from the third on once `release` is set; counts what is being asked."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.release.set()
        self.asked: list[dict[str, Any]] = []
        self.working = 0
        self.error: Exception | None = None

    async def __aenter__(self) -> Triton:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def transcribe(self, chunk: Any, options: dict[str, Any], *, timeout_s: float) -> ChunkResult:
        self.asked.append(options)
        self.working += 1
        try:
            if chunk.index > 1:
                await self.release.wait()
            if self.error:
                raise self.error
        finally:
            self.working -= 1
        words = Word("chunk", 0.0, 0.4, 0.5, "aligned"), Word(f"{chunk.index}.", 0.4, 0.9, 0.25, "aligned")
        segment = Segment(0.0, 1.0, f"chunk {chunk.index}.", "en", -0.1, 0.0, 1.0, 0.0, words)
        return ChunkResult(chunk.index, "base", "en", 1.0, (segment,))


class StandInWatcher:
    """Triton has answered."""

    catalogue = Catalogue(
        {
            "base": ServedModel("base", frozenset({"en", "de", "zh"}), ("transcribe", "translate")),
            "tiny.en": ServedModel("tiny.en", frozenset({"en"}), ("transcribe",)),
        },
        ("en",),
    )


@dataclass
class Door:
    """A door that listens."""

    port: int
    server: HttpServer
    calls: Calls
    metrics: Metrics
    triton: Triton
    recordings: Recordings
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def post(self, fields: dict[str, Any] | None = None, file: bytes = SHORT, **more: Any) -> httpx.Response:
        """A transcription."""
        path = more.pop("path", "/v1/audio/transcriptions")
        async with httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as client:
            return await client.post(path, data=UNCUT | (fields or {}), files={"file": ("a.wav", file)}, **more)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as client:
            return await client.get(path, **more)


@asynccontextmanager
async def opened(*routes: BaseRoute, **settings: Any) -> AsyncIterator[Door]:
    """A door with these settings, and these routes beside its own."""
    async with AsyncExitStack() as stack:
        chosen = GatewaySettings(**{"http_port": free_port(), "drain_s": 0} | settings)
        triton, metrics = Triton(), Metrics()
        session = cast("Any", triton)
        recordings = Recordings(chosen, None, Sessions(session, session, lambda: session))
        stack.callback(recordings.close)
        tokens = TokenFile(chosen.tokens) if chosen.tokens else None
        calls = Calls(tokens, CallLimits(chosen.max_calls, chosen.max_calls_per_caller), metrics)
        watcher = cast("Watcher", StandInWatcher())
        context = HttpContext(chosen, calls, metrics, watcher, recordings, lambda: True)
        server = HttpServer(http_app(context, *routes), chosen, 1.0)
        await server.start()
        stack.push_async_callback(server.close)
        scheme = "https" if chosen.tls_cert else "http"
        yield Door(server.port, server, calls, metrics, triton, recordings, scheme)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with opened() as door:
        yield door


async def until(condition: Callable[[], object], timeout_s: float = 10) -> None:
    """Wait for a condition while this event loop goes on."""
    assert await asyncio.to_thread(wait_for, lambda: bool(condition()), timeout_s)
