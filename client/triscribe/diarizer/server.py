"""Builds the gRPC server of the diarizer: service, health, token, TLS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from triscribe.diarizer.jobs import Engine, JobQueue
from triscribe.diarizer.service import DiarizationService, TokenAuth
from triscribe.diarizer.settings import ServerSettings, TlsFiles
from triscribe.v1 import diarization_pb2 as pb
from triscribe.v1 import diarization_pb2_grpc as pb_grpc

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["DiarizationService"].full_name


async def start_server(settings: ServerSettings, make_engine: Callable[[], Engine]) -> tuple[Any, str]:
    """Starts to serve.

    Args:
        settings: see there.
        make_engine: builds what runs the jobs; called at once, on the thread of the jobs.

    Returns:
        The running `grpc.aio.Server` and the address that callers use.
    """
    interceptors = [TokenAuth(settings.token)] if settings.token else []
    server = grpc.aio.server(interceptors=interceptors, options=[("grpc.so_reuseport", 0)])
    queue = JobQueue(make_engine)
    pb_grpc.add_DiarizationServiceServicer_to_server(DiarizationService(queue, settings.max_duration_s), server)
    await _add_health(server)
    if settings.tls:
        port = server.add_secure_port(settings.address, _credentials(settings.tls))
    else:
        port = server.add_insecure_port(settings.address)
    await server.start()
    queue.warm_up()
    if settings.address.startswith("unix:"):
        return server, settings.address
    return server, f"{settings.address.rpartition(':')[0]}:{port}"


async def start_health(address: str) -> Any:
    """A second server, which answers grpc.health.v1 only, for probes that speak no TLS. It stops when it is let go."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    await _add_health(server)
    server.add_insecure_port(address)
    await server.start()
    return server


async def _add_health(server: Any) -> None:
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    for name in ("", SERVICE_NAME):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)


def _credentials(files: TlsFiles) -> Any:
    authority = files.client_ca.read_bytes() if files.client_ca else None
    return grpc.ssl_server_credentials(
        [(files.key.read_bytes(), files.cert.read_bytes())],
        root_certificates=authority,
        require_client_auth=authority is not None,
    )
