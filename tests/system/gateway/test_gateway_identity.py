"""Who may come in: TLS, mTLS and bearer tokens."""

import datetime
import subprocess
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from tests.harness.gateway import GatewayProcess
from tests.harness.paths import COMMAND
from tests.harness.processes import wait_for
from triscribe.client import Client, Connection, tls_credentials
from triscribe.errors import ServerError, UnauthenticatedError, UnavailableError


def new_token(name: str, file: Path) -> str:
    command = [COMMAND, "gateway-token", name, "--tokens", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.cert_chain_pems[0].write_to_path(folder / "server.pem")
    issued.private_key_pem.write_to_path(folder / "server.key")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "tokens").touch()
    return folder


@pytest.fixture(scope="module")
def secure(server, files):
    """mTLS and tokens together; how far it gets with Triton does not matter here."""
    process = GatewayProcess(
        server.url,
        tls_cert=files / "server.pem",
        tls_key=files / "server.key",
        tls_client_ca=files / "ca.pem",
        tokens=files / "tokens",
        health_interval_s=600,
    )
    yield process
    process.stop()


def credentials(folder: Path, authority: trustme.CA, name: str, **issue: Any) -> grpc.ChannelCredentials:
    cert = authority.issue_cert(f"{name}.test", common_name=name, **issue)
    cert.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    cert.private_key_pem.write_to_path(folder / f"{name}.key")
    return tls_credentials(authority=folder / "ca.pem", certificate=folder / f"{name}.pem", key=folder / f"{name}.key")


def models(process: GatewayProcess, token: str | None, tls: grpc.ChannelCredentials | None) -> int:
    with Client(Connection(process.address, token, tls)) as client:
        return len(client.models(timeout_s=20).models)


def ask_until_known(process, token, tls) -> int:
    """Triton may not have answered yet (UNAVAILABLE), and a new token is read once a second (UNAUTHENTICATED)."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return models(process, token, tls)
        except (UnavailableError, UnauthenticatedError) as error:
            passing = isinstance(error, UnauthenticatedError) or "does not answer yet" in str(error)
            if not passing or time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def test_certificate_and_token_come_in(secure, files, authority):
    token = new_token("web", files / "tokens")
    assert ask_until_known(secure, token, credentials(files, authority, "web")) == 2
    assert wait_for(lambda: secure.events("call")[-1]["caller"] == "web", timeout_s=10)
    assert token not in "".join(secure.lines)


@pytest.mark.parametrize("token", [None, "", "guess"])
def test_a_missing_or_wrong_token(secure, files, authority, token):
    with pytest.raises(UnauthenticatedError):
        models(secure, token, credentials(files, authority, "web2"))


def test_a_revoked_token(secure, files, authority):
    tls = credentials(files, authority, "web3")
    token = new_token("leaver", files / "tokens")
    time.sleep(1.1)
    assert ask_until_known(secure, token, tls) == 2
    lines = (files / "tokens").read_text().splitlines()
    (files / "tokens").write_text("\n".join(line for line in lines if not line.startswith("leaver")) + "\n")
    time.sleep(1.1)
    with pytest.raises(UnauthenticatedError):
        models(secure, token, tls)


def test_no_certificate(secure, files):
    with pytest.raises(ServerError) as caught:
        models(secure, "any", tls_credentials(authority=files / "ca.pem"))
    assert caught.value.code == "UNAVAILABLE"  # the handshake fails: not even the token is seen


def test_a_certificate_of_another_authority(secure, files, tmp_path):
    stranger = trustme.CA()
    files_ca = (files / "ca.pem").read_bytes()
    (tmp_path / "ca.pem").write_bytes(files_ca)
    with pytest.raises(UnavailableError):
        models(secure, "any", credentials(tmp_path, stranger, "stranger"))


def test_an_expired_certificate(secure, files, authority):
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    past = {"not_before": yesterday - datetime.timedelta(days=9), "not_after": yesterday}
    with pytest.raises(UnavailableError):
        models(secure, "any", credentials(files, authority, "old", **past))


def test_plaintext_to_a_port_with_tls(secure):
    with pytest.raises(UnavailableError):
        models(secure, "any", None)


def test_a_renewed_certificate_needs_no_restart(secure, files, authority):
    token = new_token("renewal", files / "tokens")
    time.sleep(1.1)
    renewed = trustme.CA()
    issued = renewed.issue_cert("127.0.0.1")
    kept = [(files / name).read_bytes() for name in ("server.pem", "server.key")]
    issued.cert_chain_pems[0].write_to_path(files / "server.pem")
    issued.private_key_pem.write_to_path(files / "server.key")
    try:
        cert = authority.issue_cert("client.test")
        tls = grpc.ssl_channel_credentials(
            renewed.cert_pem.bytes(), cert.private_key_pem.bytes(), cert.cert_chain_pems[0].bytes()
        )
        assert ask_until_known(secure, token, tls) == 2
    finally:
        (files / "server.pem").write_bytes(kept[0])
        (files / "server.key").write_bytes(kept[1])
