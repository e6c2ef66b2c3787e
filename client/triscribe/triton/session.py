"""One connection to Triton for the files or calls that share it, and a bound on the requests under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc

from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.types import Chunk, ChunkResult, Samples


class Session:
    """A connection with `concurrency` places; a request waits for a place and keeps it until its answer.

    Belongs to one event loop; use it as an async context manager.

    Args:
        server: HOST:PORT of Triton, or a gRPC target.
        concurrency: requests under way at once.
        retry: how a full queue or a restart is waited out.
        headers: gives what goes with a request, such as its trace.
        credentials: TLS; None talks plaintext.
        ready: waits until the server takes requests, where it may still be starting; asked before each.
    """

    def __init__(
        self,
        server: str,
        concurrency: int = 32,
        retry: RetryPolicy | None = None,
        *,
        headers: Callable[[], dict[str, str]] = dict,
        credentials: grpc.ChannelCredentials | None = None,
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._ready = ready
        self._connection = TritonConnection(server, retry=retry, headers=headers, credentials=credentials)
        self._places = asyncio.Semaphore(concurrency)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connection.__aexit__(None, None, None)

    async def transcribe(self, chunk: Chunk, options: Mapping[str, Any], *, timeout_s: float) -> ChunkResult:
        """As `TritonConnection.transcribe`, once there is a place."""
        async with self._places:
            await self._started()
            return await self._connection.transcribe(chunk, options, timeout_s=timeout_s)

    async def detect_language(
        self, samples: Samples, options: Mapping[str, Any], *, timeout_s: float
    ) -> dict[str, float]:
        """As `TritonConnection.detect_language`, once there is a place."""
        async with self._places:
            await self._started()
            return await self._connection.detect_language(samples, options, timeout_s=timeout_s)

    async def _started(self) -> None:
        if self._ready is not None:
            await self._ready()
