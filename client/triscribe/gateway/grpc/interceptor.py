"""gRPC's half of what happens around a call: metadata in, status out; the other half is `service.calls`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from triscribe.errors import InvalidArgumentError, ServerError
from triscribe.gateway.grpc.fields import proto_field
from triscribe.gateway.grpc.status import rich_status
from triscribe.service.calls import Arrival, Call, Calls, request_id
from triscribe.v1 import speech_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["SpeechService"].full_name
_PREFIX = f"/{SERVICE}/"
_OPEN_TO_ALL = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")
"""Answered without a token. Whatever else is registered one day has to be named here, or it is refused."""

MALFORMED = object()
"""Stands in for a message that is no protobuf; gRPC itself would answer UNKNOWN."""

T = TypeVar("T")


@dataclass(frozen=True)
class GrpcCall:
    """What a handler gets in the place of gRPC's context: the call, and the messages of its stream."""

    call: Call
    context: grpc.aio.ServicerContext[Any, Any]

    async def read(self, idle_s: float) -> Any:
        """The next request of a stream; None at its end.

        Raises:
            InvalidArgumentError: it is no protobuf message.
            TimeoutError: none came within `idle_s` seconds.
        """
        async with asyncio.timeout(idle_s):
            request = await self.context.read()
        if request is MALFORMED:
            raise InvalidArgumentError("a message of the stream is not what the proto says")
        return None if request is grpc.aio.EOF else request

    async def write(self, message: Any) -> None:
        """Send a message; waits while the caller does not read."""
        await self.context.write(message)


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method of SpeechService; health checks and reflection pass, anything else is UNIMPLEMENTED."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],  # the stubs' handlers are synchronous
        details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of one call."""
        if details.method.startswith(_OPEN_TO_ALL):
            return await continuation(details)
        if not details.method.startswith(_PREFIX):
            return None
        handler = await continuation(details)
        if handler is None:
            return None
        metadata = dict(details.invocation_metadata or ())
        method = details.method.removeprefix(_PREFIX)
        codecs = _lenient(handler.request_deserializer), handler.response_serializer

        async def unary(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            async def work(call: GrpcCall) -> Any:
                if request is MALFORMED:
                    raise InvalidArgumentError("the message is not what the proto says")
                return await handler.unary_unary(request, call)

            return await self._around(method, metadata, context, work)

        async def stream(requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            await self._around(method, metadata, context, partial(handler.stream_stream, requests))

        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(unary, *codecs)
        return grpc.stream_stream_rpc_method_handler(stream, *codecs)

    async def _around(
        self,
        method: str,
        metadata: Mapping[str, Any],
        context: grpc.aio.ServicerContext[Any, Any],
        work: Callable[[GrpcCall], Awaitable[T]],
    ) -> T:
        call = Call(method, request_id(metadata))
        arrival = Arrival(metadata, _peer(context), _PREFIX + method, context.time_remaining)
        try:
            await context.send_initial_metadata((("x-request-id", call.request_id),))
            return await self._calls.answer(call, arrival, partial(work, GrpcCall(call, context)))
        except ServerError as refusal:
            refusal.field = proto_field(refusal.field, method)
            status = rpc_status.to_status(rich_status(refusal, call.request_id))
            await context.abort(status.code, status.details, status.trailing_metadata)
            raise AssertionError("abort raises") from refusal


def _lenient(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parse(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return MALFORMED

    return parse


def _peer(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Who calls without a token: the name in its certificate, else its address."""
    names = context.auth_context().get("x509_common_name")
    if names:
        return next(iter(names)).decode(errors="replace")
    peer = str(context.peer())  # ipv4:127.0.0.1:1234, ipv6:%5B::1%5D:1234, unix:
    return peer.rpartition(":")[0] if peer.startswith("ip") else peer
