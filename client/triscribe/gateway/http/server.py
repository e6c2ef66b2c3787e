"""uvicorn in the gateway's event loop: TLS with certificates that are read again, no signals, callers that dawdle."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from triscribe.address import host_port
from triscribe.errors import ServingError
from triscribe.gateway.tls import server_context
from triscribe.service.settings import GatewaySettings

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
_UNREAD_S = 10.0
"""How long what was sent last on a WebSocket may wait for its reader."""


class HttpServer:
    """Serves one application; `start`, then `stop`."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings, last_words_s: float) -> None:
        """Bind the port.

        Raises:
            ServingError: the address is in use, or a certificate is wrong.
        """
        self._socket = _bound(settings.http_host, settings.http_port)
        self.port = int(self._socket.getsockname()[1])
        self.address = host_port(settings.http_host, self.port)
        context = server_context(settings)
        config = uvicorn.Config(
            app,
            http=partial(_Patient, settings.header_s),  # type: ignore[arg-type] # it is called, never looked at
            ws=_Lasting,
            ws_ping_timeout=settings.idle_s,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=round(settings.drain_s + last_words_s) or 1,
            ssl_context_factory=None if context is None else lambda *_: context,
        )
        self._server = _Quiet(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen."""
        self._serving = asyncio.create_task(self._server.serve([self._socket]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.01)

    def stop_listening(self) -> None:
        """Refuse new connections."""
        for listener in self._server.servers:
            listener.close()

    async def stop(self) -> None:
        """Refuse new connections and wait for open calls and WebSockets, for no longer than they may last."""
        self._server.should_exit = True
        if self._serving:
            await self._serving

    async def close(self) -> None:
        """End at once."""
        self._server.force_exit = True
        for task in self._server.server_state.tasks:
            task.cancel()
        await self.stop()
        for connection in self._server.server_state.connections:
            connection.transport.abort()
        self._socket.close()


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to the gateway."""
        yield


class _Patient(H11Protocol):
    """Ends connections on which the head of a request does not come, or comes too slowly."""

    def __init__(self, header_s: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_s = header_s
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "certificate_name": _common_name(transport.get_extra_info("peercert"))}
        self._wait()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before or self.transport.get_protocol() is not self:
            self._wait_no_longer()
        elif self.cycle is None or self.cycle.response_complete:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(self._header_s, self.transport.abort)

    def _wait_no_longer(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class _Lasting(WebSocketsSansIOProtocol):
    """A WebSocket that its application ends, even where the server stops or the caller does not read."""

    def shutdown(self) -> None:
        """Leave it open: the application knows that the gateway ends, and has something to say before."""
        if self.close_sent:
            super().shutdown()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application has ended. asyncio would wait without end for what nobody reads."""
        super().on_task_complete(task)
        self.loop.call_later(_UNREAD_S, self.transport.abort)


def _common_name(certificate: dict[str, Any] | None) -> str:
    subject = (certificate or {}).get("subject", ())
    return next((value for part in subject for name, value in part if name == "commonName"), "")


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ServingError(f"Cannot listen on {host_port(host, port)}: {error.strerror or error}.") from error
