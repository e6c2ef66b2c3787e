"""Tokens are in no log and in no command line, where every user of a machine can read them."""

import grpc
import psutil
import pytest

from tests.harness.gateway import gateway_process
from tests.harness.paths import COMMAND
from triscribe.client import Client, Connection
from triscribe.diarization.process import DiarizerProcess, ProcessSettings
from triscribe.errors import UnauthenticatedError
from triscribe.service.auth import make_token
from triscribe.v1 import diarization_pb2_grpc


def command_lines():
    found: list[str] = []
    for process in psutil.process_iter(["cmdline"]):
        found += process.info["cmdline"] or []
    return " ".join(found)


@pytest.mark.server
def test_a_gateways_tokens_are_nowhere_to_be_read(server, tmp_path):
    token, line = make_token("somebody")
    wrong, _ = make_token("nobody")
    other = "diarizer-token-0123456789"
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{line}\n")
    with gateway_process(
        server.url, tokens=tokens, log_level="debug", diarizer="127.0.0.1:9", diarizer_token=other
    ) as gateway:
        with Client(Connection(gateway.address, token=token)) as client:
            assert client.models()
        with Client(Connection(gateway.address, token=wrong)) as client, pytest.raises(UnauthenticatedError):
            client.models()
        seen = command_lines()
        assert gateway.address  # it was running while the command lines were read
    log = "".join(gateway.lines)
    assert "listening" in log
    assert str(COMMAND) in seen
    for secret in (token, wrong, other):
        assert secret not in seen
        assert secret not in log


@pytest.mark.diarizer
async def test_a_diarizers_token_is_nowhere_to_be_read():
    process = DiarizerProcess(ProcessSettings())
    try:
        address = await process.address()
        seen = command_lines()
        with grpc.insecure_channel(address) as channel:
            stub = diarization_pb2_grpc.DiarizationServiceStub(channel)
            for given, code in ((process.token, "INVALID_ARGUMENT"), ("wrong", "UNAUTHENTICATED")):
                with pytest.raises(grpc.RpcError) as caught:
                    list(stub.Diarize(iter([]), metadata=(("authorization", f"Bearer {given}"),), timeout=30))
                assert caught.value.code().name == code  # once the wrong one was kept until its deadline
        log = process._log.read_text()
    finally:
        process.stop()
    assert "triscribe.diarizer" in seen
    assert process.token not in seen
    assert process.token not in log
