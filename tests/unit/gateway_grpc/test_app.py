"""A gateway in this process, before a Triton that is not there: what it lets through, where it listens."""

from __future__ import annotations

import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from triscribe.gateway import Gateway, GatewaySettings
from triscribe.gateway.grpc.interceptor import CallInterceptor
from triscribe.service.calls import Calls
from triscribe.service.limits import CallLimits
from triscribe.service.metrics import Metrics
from triscribe.v1 import speech_pb2 as pb
from triscribe.v1 import speech_pb2_grpc


class Anything(grpc.GenericRpcHandler):
    """Answers whatever is asked, as a service does that somebody registers one day."""

    def service(self, details):
        async def answer(request, context):
            return b"secret"

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
async def address():
    interceptor = CallInterceptor(Calls(None, CallLimits(9, 9), Metrics()))
    server = grpc.aio.server(interceptors=[interceptor])
    server.add_generic_rpc_handlers((Anything(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def code(address, method):
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
            await call(b"")
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


@pytest.mark.parametrize(
    "method",
    [
        "/triscribe.v2.SpeechService/Recognize",
        "/triscribe.v1.JobsService/List",
        "/triscribe.v1.SpeechServiceAdmin/Stop",
        "/grpc.health.v1.HealthAdmin/Check",
        "/grpc.channelz.v1.Channelz/GetServers",
    ],
)
async def test_a_service_that_nobody_has_named_is_refused(address, method):
    """It would run without a token, without limits and without a line in the log."""
    assert await code(address, method) == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    "method", ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"]
)
async def test_health_and_reflection_pass(address, method):
    assert await code(address, method) == grpc.StatusCode.OK


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_a_gateway_listens_on_ipv6(host):
    """Calls, health and metrics; once gRPC read `::1:8443` as an address without a port."""
    settings = GatewaySettings(server="127.0.0.1:9", host=host, port=0, http_port=0, health_port=0, metrics_port=None)
    async with Gateway(settings) as gateway:
        assert gateway.address.startswith("[::1]:")
        async with grpc.aio.insecure_channel(gateway.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await speech_pb2_grpc.SpeechServiceStub(channel).ListModels(pb.ListModelsRequest())
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE  # Triton is not there
        async with grpc.aio.insecure_channel(f"[::1]:{gateway.health_port}") as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="live"))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
