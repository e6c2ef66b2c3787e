"""mTLS from the gateway to Triton, ports for probes beside it, and connections that are renewed: all of it real."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
import tritonclient.grpc as grpcclient
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.utils import InferenceServerException

from tests.harness.gateway import GatewayProcess
from tests.harness.processes import wait_for
from triscribe.client import Client, Connection, tls_credentials
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.triton.tls import MutualTls

_Status = health_pb2.HealthCheckResponse


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem; a certificate for both roles and the name localhost; one of a stranger's authority."""
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, issuer in (("ours", authority), ("strange", stranger)):
        issued = issuer.issue_cert("localhost", "127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
    return folder


@pytest.fixture(scope="module")
def triton(files: Path) -> Iterator[EmbeddedTriton]:
    tls = MutualTls(files / "ours.pem", files / "ours.key", files / "ca.pem")
    with EmbeddedTriton(ServeOptions(models=("tiny.en",), tls=tls, max_connection_age_s=1)) as triton:
        yield triton


@pytest.fixture(scope="module")
def gateway(triton: EmbeddedTriton, files: Path) -> Iterator[GatewayProcess]:
    """mTLS on both sides, as in a cluster."""
    ours = {"cert": files / "ours.pem", "key": files / "ours.key"}
    process = GatewayProcess(
        f"dns:///localhost:{triton.ports.grpc}",
        server_ca=files / "ca.pem",
        **{f"server_{name}": path for name, path in ours.items()},
        **{f"tls_{name}": path for name, path in ours.items()},
        tls_client_ca=files / "ca.pem",
        health_port=0,
        health_interval_s=1,
    )
    yield process
    process.stop()


def health(gateway: GatewayProcess, service: str) -> int:
    """What a probe without a certificate is told."""
    with grpc.insecure_channel(f"127.0.0.1:{gateway.events('listening')[0]['health_port']}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        status: int = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status
        return status


def client(gateway: GatewayProcess, files: Path) -> Client:
    tls = tls_credentials(authority=files / "ca.pem", certificate=files / "ours.pem", key=files / "ours.key")
    return Client(Connection(f"localhost:{gateway.address.rpartition(':')[2]}", credentials=tls))


def test_a_recording_passes_both_doors(gateway, files, conversation):
    assert wait_for(lambda: health(gateway, "") == _Status.SERVING, timeout_s=60)
    with client(gateway, files) as caller:
        transcript = caller.transcribe(conversation.path)
    assert transcript.segments
    # Long enough for connections to reach their age many times: none of that is an error for anybody.
    assert not gateway.events("triton_lost")


def test_the_port_for_probes_answers_nothing_else(gateway):
    assert health(gateway, "live") == _Status.SERVING
    with grpc.insecure_channel(f"127.0.0.1:{gateway.events('listening')[0]['health_port']}") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/triscribe.v1.SpeechService/ListModels")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_connections_are_renewed(gateway, triton):
    """Only so are new replicas found."""

    def local_ports() -> set[int]:
        connections = psutil.Process(gateway.process.pid).net_connections("tcp")
        return {one.laddr.port for one in connections if one.raddr and one.raddr.port == triton.ports.grpc}

    before = local_ports()
    assert before
    assert wait_for(lambda: bool(local_ports()) and not local_ports() & before, timeout_s=60)


@pytest.mark.parametrize("name", [None, "strange"])
def test_triton_lets_in_nobody_else(triton, files, name):
    if name is None:
        credentials = grpc.ssl_channel_credentials((files / "ca.pem").read_bytes())
    else:
        pem = [(files / file).read_bytes() for file in ("ca.pem", f"{name}.key", f"{name}.pem")]
        credentials = grpc.ssl_channel_credentials(*pem)
    stranger = grpcclient.InferenceServerClient(f"localhost:{triton.ports.grpc}", creds=credentials)
    with stranger, pytest.raises(InferenceServerException) as caught:
        stranger.is_server_live(client_timeout=10)
    assert "UNAVAILABLE" in str(caught.value.status())


def test_the_way_around_is_closed(triton):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", triton.ports.http), timeout=10)


def test_the_supervisor_had_no_reason_to_restart(triton):
    assert triton.supervisor.restarts == 0
