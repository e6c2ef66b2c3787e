import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from triscribe.gateway.grpc.health import HealthService

Status = health_pb2.HealthCheckResponse


@pytest.fixture
async def health():
    service = HealthService(("", "speech"))
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield service, health_pb2_grpc.HealthStub(channel)
    await server.stop(None)


async def next_status(call):
    return (await asyncio.wait_for(call.read(), 5)).status


async def test_watchers_do_not_depend_on_each_other(health):
    service, stub = health
    request = health_pb2.HealthCheckRequest(service="speech")
    leaving, staying = stub.Watch(request), stub.Watch(request)
    assert [await next_status(leaving), await next_status(staying)] == [Status.NOT_SERVING] * 2
    leaving.cancel()
    await asyncio.sleep(0.1)
    await service.set("speech", serving=True)
    assert await next_status(staying) == Status.SERVING
    await service.close()
    assert await next_status(staying) == Status.NOT_SERVING
    assert await staying.read() is grpc.aio.EOF  # an open call would hold up the end of the process
    await service.set("speech", serving=True)
    assert (await stub.Check(request)).status == Status.NOT_SERVING


async def test_an_unknown_service(health):
    _, stub = health
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="other"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert await next_status(stub.Watch(health_pb2.HealthCheckRequest(service="other"))) == Status.SERVICE_UNKNOWN
