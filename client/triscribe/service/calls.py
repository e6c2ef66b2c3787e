"""What happens around every call: identity, limits, deadline, error details, metrics and one log line."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from triscribe.errors import InternalError, InvalidArgumentError, ServerError, UnavailableError
from triscribe.gateway.grpc.status import as_server_error, rich_status
from triscribe.service.auth import TokenFile
from triscribe.service.limits import CallLimits
from triscribe.service.metrics import Metrics
from triscribe.service.tracing import SpanMaker, no_spans
from triscribe.v1 import speech_pb2 as pb

logger = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["SpeechService"].full_name
_PREFIX = f"/{SERVICE}/"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_DEADLINE_SLACK_S = 0.25
"""A caller's clock runs first: when its deadline passes, its cancellation arrives a little before ours would."""
WORK = ("text", "speakers")
"""What may have to be done with a second of audio."""

MALFORMED = object()
"""What stands in for a message that is no protobuf; gRPC itself would answer UNKNOWN."""


@dataclass
class Call:
    """One call as the metrics and the log see it; never holds text or audio.

    Attributes:
        outstanding_s: seconds of audio that still have to be worked on, by kind of work (`WORK`).
    """

    method: str
    request_id: str
    caller: str = ""
    model: str = ""
    audio_in_s: float = 0.0
    audio_out_s: float = 0.0
    queue_s: float | None = None
    work_s: float | None = None
    draining: bool = False
    outstanding_s: Mapping[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)


_current: ContextVar[Call] = ContextVar("call")


def current_call() -> Call:
    """The call that this task works for."""
    return _current.get()


async def read(context: Any, idle_s: float) -> Any:
    """The next request of a stream; None at its end.

    Raises:
        InvalidArgumentError: it is no protobuf message.
        TimeoutError: none came.
    """
    async with asyncio.timeout(idle_s):
        request = await context.read()
    if request is MALFORMED:
        raise InvalidArgumentError("a message of the stream is not what the proto says")
    return None if request is grpc.aio.EOF else request


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Wraps every method of SpeechService; health checks and reflection pass."""

    def __init__(
        self, tokens: TokenFile | None, limits: CallLimits, metrics: Metrics, span: SpanMaker = no_spans
    ) -> None:
        self._tokens = tokens
        self._limits = limits
        self._metrics = metrics
        self._span = span
        self._open: dict[asyncio.Task[Any], Call] = {}
        for work in WORK:
            metrics.outstanding_audio_seconds.labels(work).set_function(partial(self._outstanding_s, work))

    @property
    def open_calls(self) -> int:
        """Calls being worked on."""
        return len(self._open)

    def _outstanding_s(self, work: str) -> float:
        """Summed when Prometheus asks, on its thread: a call that has ended cannot leave anything behind."""
        return sum(call.outstanding_s.get(work, 0.0) for call in tuple(self._open.values()))

    def interrupt_all(self) -> None:
        """End every open call with UNAVAILABLE."""
        for task, call in self._open.items():
            call.draining = True
            task.cancel()

    async def intercept_service(self, continuation: Callable[..., Awaitable[Any]], details: Any) -> Any:
        """Wrap the handler of one call."""
        handler = await continuation(details)
        if handler is None or not details.method.startswith(_PREFIX):
            return handler
        metadata = dict(details.invocation_metadata or ())
        method = details.method.removeprefix(_PREFIX)
        codecs = _lenient(handler.request_deserializer), handler.response_serializer

        async def unary(request: Any, context: Any) -> Any:
            work = _refuse_malformed if request is MALFORMED else partial(handler.unary_unary, request, context)
            return await self._around(method, metadata, context, work)

        async def stream(requests: Any, context: Any) -> None:
            await self._around(method, metadata, context, partial(handler.stream_stream, requests, context))

        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(unary, *codecs)
        return grpc.stream_stream_rpc_method_handler(stream, *codecs)

    async def _around(
        self, method: str, metadata: Mapping[str, Any], context: Any, work: Callable[[], Awaitable[Any]]
    ) -> Any:
        call = Call(method, _request_id(metadata))
        _current.set(call)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._open[task] = call
        in_flight = self._metrics.in_flight.labels(method)
        in_flight.inc()
        code = "CANCELLED"
        try:
            await context.send_initial_metadata((("x-request-id", call.request_id),))
            call.caller = self._tokens.caller(metadata) if self._tokens else _peer(context)
            with self._limits.admit(call.caller), self._span(_PREFIX + method, metadata):
                async with asyncio.timeout(context.time_remaining()):
                    answer = await work()
            code = "OK"
            return answer
        except (Exception, asyncio.CancelledError) as error:
            refusal = _refusal(error, call)
            if refusal is None:
                remaining = context.time_remaining()
                late = remaining is not None and remaining <= _DEADLINE_SLACK_S
                code = "DEADLINE_EXCEEDED" if late else "CANCELLED"
                raise
            code = refusal.code
            task.uncancel()
            status = rpc_status.to_status(rich_status(refusal, call.request_id))
            await context.abort(status.code, status.details, status.trailing_metadata)
        finally:
            in_flight.dec()
            del self._open[task]
            self._record(call, code)

    def _record(self, call: Call, code: str) -> None:
        seconds = time.monotonic() - call.started
        labels = (call.method, call.model)
        self._metrics.requests.labels(*labels, code).inc()
        self._metrics.seconds.labels(*labels).observe(seconds)
        self._metrics.audio_seconds.labels(*labels, "in").inc(call.audio_in_s)
        self._metrics.audio_seconds.labels(*labels, "out").inc(call.audio_out_s)
        if call.queue_s is not None:
            self._metrics.queue_seconds.labels(*labels).observe(call.queue_s)
        if call.work_s is not None and call.audio_out_s:
            self._metrics.real_time_factor.labels(*labels).observe(call.work_s / call.audio_out_s)
        logger.info(
            "call",
            extra={
                "request_id": call.request_id,
                "method": call.method,
                "caller": call.caller,
                "model": call.model,
                "code": code,
                "seconds": round(seconds, 3),
                "audio_in_s": round(call.audio_in_s, 3),
                "audio_out_s": round(call.audio_out_s, 3),
            },
        )


def _refusal(error: BaseException, call: Call) -> ServerError | None:
    """What the caller is told; None when the caller itself went away."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, asyncio.CancelledError):
        return UnavailableError("the gateway is shutting down") if call.draining else None
    refusal = as_server_error(error)
    if refusal is None or isinstance(refusal, InternalError):
        logger.error("call_failed", exc_info=error, extra={"request_id": call.request_id, "method": call.method})
        return InternalError(f"the call failed; the log of request {call.request_id} has the reason")
    return refusal


async def _refuse_malformed() -> None:
    raise InvalidArgumentError("the message is not what the proto says")


def _lenient(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parse(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return MALFORMED

    return parse


def _request_id(metadata: Mapping[str, Any]) -> str:
    given = metadata.get("x-request-id", "")
    return given if isinstance(given, str) and _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _peer(context: Any) -> str:
    """Who calls without a token: the name in its certificate, else its address."""
    names = context.auth_context().get("x509_common_name")
    if names:
        return str(names[0].decode(errors="replace"))
    peer = str(context.peer())  # ipv4:127.0.0.1:1234, ipv6:%5B::1%5D:1234, unix:
    return peer.rpartition(":")[0] if peer.startswith("ip") else peer
