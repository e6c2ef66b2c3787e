"""The gateway as a whole: built from settings, started, watched, drained."""

from __future__ import annotations

import asyncio
import logging
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from starlette.applications import Starlette

from triscribe.address import host_port
from triscribe.diarization.client import Diarizer, DiarizerSettings
from triscribe.errors import ServingError
from triscribe.gateway.grpc.health import HealthService
from triscribe.gateway.grpc.interceptor import SERVICE, CallInterceptor
from triscribe.gateway.grpc.servicer import SpeechService
from triscribe.gateway.http.app import HttpContext, http_app
from triscribe.gateway.http.server import HttpServer
from triscribe.gateway.realtime import RealtimeContext, realtime_route
from triscribe.gateway.tls import client_credentials, server_credentials
from triscribe.machine import available_cores
from triscribe.service import tracing
from triscribe.service.auth import TokenFile
from triscribe.service.calls import Calls
from triscribe.service.limits import CallLimits
from triscribe.service.metrics import Metrics
from triscribe.service.recordings import Recordings
from triscribe.service.sessions import Sessions
from triscribe.service.settings import GatewaySettings
from triscribe.service.streams import Streams
from triscribe.service.watch import Watcher
from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.triton.session import Session
from triscribe.v1 import speech_pb2_grpc

logger = logging.getLogger(__name__)

_LAST_WORDS_S = 2.0
"""Time for open calls to send their status, after they were interrupted."""

_PER_CONNECTION_STREAMS = 1024


class Gateway:
    """One gateway; use it as an async context manager, or `await run()`.

    Entering listens at once; health reports "not serving" until Triton has answered.
    """

    def __init__(self, settings: GatewaySettings | None = None) -> None:
        """Read the tokens and build everything that needs no event loop.

        Raises:
            ServingError: a file of the settings cannot be read.
        """
        self.settings = settings or GatewaySettings()
        self.metrics = Metrics()
        self.address = ""
        self.http_address = ""
        self.metrics_port = 0
        self.health_port = 0
        tokens = TokenFile(self.settings.tokens) if self.settings.tokens else None
        limits = CallLimits(self.settings.max_calls, self.settings.max_calls_per_caller)
        if self.settings.tracing:
            tracing.start()
        span = tracing.server_span if self.settings.tracing else tracing.no_spans
        self._headers = tracing.trace_headers if self.settings.tracing else dict[str, str]
        self._calls = Calls(tokens, limits, self.metrics, span)
        self._stack = AsyncExitStack()
        self._credentials = client_credentials(
            self.settings.server_ca, self.settings.server_cert, self.settings.server_key
        )
        self._server: Any = None
        self._http: HttpServer | None = None
        self._is_serving = False
        self._draining = asyncio.Event()
        self._health = HealthService(("", SERVICE))

    async def __aenter__(self) -> Gateway:
        """Listen.

        Raises:
            ServingError: the address is in use, or a certificate is wrong.
            DiarizationError: a local diarizer was asked for, and there is no environment for it.
        """
        async with AsyncExitStack() as stack:
            diarizer = await self._enter_diarizer(stack)
            watcher = Watcher(self._connection, diarizer, self.settings.health_interval_s)
            sessions = Sessions(
                quick=await self._enter_session(stack, RetryPolicy(give_up_after_s=0)),
                patient=await self._enter_session(stack, RetryPolicy()),
                upload=lambda: self._session(self.settings.upload_concurrency),
            )
            recordings = Recordings(self.settings, diarizer, sessions)
            stack.callback(recordings.close)
            voice = stack.enter_context(ThreadPoolExecutor(available_cores(), thread_name_prefix="voice"))
            streams = Streams(self.settings, self.metrics, sessions, voice)
            service = SpeechService(self.settings, watcher, recordings, streams)
            await self._start(service)
            stack.push_async_callback(self._server.stop, 0)
            context = HttpContext(
                self.settings, self._calls, self.metrics, watcher, recordings, lambda: self._is_serving
            )
            live = RealtimeContext(self.settings, self._calls, streams, watcher, self._draining)
            await self._start_http(stack, http_app(context, realtime_route(live)))
            self._start_metrics(stack)
            await self._start_health(stack)
            watching = asyncio.create_task(self._watch(watcher))
            stack.callback(watching.cancel)
            self._stack = stack.pop_all()
        logger.info("listening", extra=self._addresses())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def _addresses(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "http_address": self.http_address,
            "metrics_port": self.metrics_port,
            "health_port": self.health_port,
        }

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with self:
            await stop.wait()
            await self.drain()

    async def drain(self) -> None:
        """Refuse new calls, let open ones finish for `drain_s`, end the rest with UNAVAILABLE."""
        logger.info("draining", extra={"open_calls": self._calls.open_calls})
        self._is_serving = False
        if self._http:
            self._http.stop_listening()  # before sessions end, whose callers come again
        self._draining.set()
        await self._health.close()
        stopping = {asyncio.create_task(self._server.stop(self.settings.drain_s + _LAST_WORDS_S))}
        if self._http:
            stopping.add(asyncio.create_task(self._http.stop()))
        await asyncio.wait(stopping, timeout=self.settings.drain_s)
        self._calls.interrupt_all()
        await asyncio.gather(*stopping)

    async def _start(self, service: SpeechService) -> None:
        settings = self.settings
        self._server = grpc.aio.server(
            interceptors=[CallInterceptor(self._calls)],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_concurrent_streams", _PER_CONNECTION_STREAMS),
                ("grpc.keepalive_time_ms", round(settings.keepalive_s * 1000)),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        speech_pb2_grpc.add_SpeechServiceServicer_to_server(service, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection((SERVICE, health_name, reflection.SERVICE_NAME), self._server)
        address, credentials = host_port(settings.host, settings.port), server_credentials(settings)
        try:
            if credentials:
                port = self._server.add_secure_port(address, credentials)
            else:
                port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ServingError(f"Cannot listen on {address}: it is in use, or a certificate is wrong.") from error
        self.address = host_port(settings.host, port)
        await self._server.start()

    async def _start_http(self, stack: AsyncExitStack, app: Starlette) -> None:
        if not self.settings.http_port:
            return
        self._http = HttpServer(app, self.settings, _LAST_WORDS_S)
        self.http_address = self._http.address
        await self._http.start()
        stack.push_async_callback(self._http.close)

    def _start_metrics(self, stack: AsyncExitStack) -> None:
        if self.settings.metrics_port is None:
            return
        try:
            server = self.metrics.serve(self.settings.metrics_host, self.settings.metrics_port)
        except OSError as error:
            raise ServingError(f"Cannot serve metrics on port {self.settings.metrics_port}: {error}.") from error
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        self.metrics_port = server.server_port

    async def _start_health(self, stack: AsyncExitStack) -> None:
        """The port for probes: on the event loop that answers the calls, so that it tells about that one."""
        if self.settings.health_port is None:
            return
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        address = host_port(self.settings.host, self.settings.health_port)
        try:
            self.health_port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise ServingError(f"Cannot listen on {address}: it is in use.") from error
        await server.start()
        stack.push_async_callback(server.stop, 0)

    async def _watch(self, watcher: Watcher) -> None:
        async def tell() -> None:
            diarizer_ok = watcher.diarizer_alive or not self.settings.diarizer_required
            self.metrics.serving.labels("triton").set(watcher.triton_alive)
            if self.settings.diarizer:
                self.metrics.serving.labels("diarizer").set(watcher.diarizer_alive)
            self._is_serving = watcher.triton_alive and diarizer_ok and not self._draining.is_set()
            for name in ("", SERVICE):
                await self._health.set(name, serving=self._is_serving)

        await watcher.run(tell)

    def _connection(self) -> TritonConnection:
        """For questions about Triton's state, which are asked again anyway."""
        patience = RetryPolicy(give_up_after_s=0)
        return TritonConnection(self.settings.server, retry=patience, credentials=self._credentials)

    async def _enter_session(self, stack: AsyncExitStack, retry: RetryPolicy) -> Session:
        return await stack.enter_async_context(self._session(self.settings.max_calls, retry))

    def _session(self, concurrency: int, retry: RetryPolicy | None = None) -> Session:
        server, headers = self.settings.server, self._headers
        return Session(server, concurrency, retry, headers=headers, credentials=self._credentials)

    async def _enter_diarizer(self, stack: AsyncExitStack) -> Diarizer | None:
        settings = self.settings
        if settings.diarizer is None:
            return None
        if settings.diarizer == "local":
            return await stack.enter_async_context(Diarizer())
        credentials = client_credentials(settings.diarizer_ca, settings.diarizer_cert, settings.diarizer_key)
        remote = DiarizerSettings(settings.diarizer, credentials, settings.diarizer_token)
        return await stack.enter_async_context(Diarizer(remote))
