"""Certificates of the HTTP door: renewed without a restart, asked of callers."""

from __future__ import annotations

import logging
import socket
import ssl
from pathlib import Path

import httpx
import pytest
import trustme

from tests.harness.ports import free_port
from tests.unit.gateway_http.conftest import opened
from triscribe.errors import ServingError
from triscribe.gateway import Gateway, GatewaySettings
from triscribe.gateway.tls import server_context


def issue(folder: Path, authority: trustme.CA, name: str = "server") -> None:
    issued = authority.issue_cert("127.0.0.1", common_name=name)
    (folder / f"{name}.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(folder / f"{name}.key")
    authority.cert_pem.write_to_path(folder / f"{name}-ca.pem")


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def health(url: str, context: ssl.SSLContext) -> int:
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        return (await client.get(f"{url}/health")).status_code


async def test_certificates_are_read_again(tmp_path):
    old, new = trustme.CA(), trustme.CA()
    issue(tmp_path, old)
    async with opened(tls_cert=tmp_path / "server.pem", tls_key=tmp_path / "server.key") as door:
        assert await health(door.url, trusting(old)) == 200
        issue(tmp_path, new)
        assert await health(door.url, trusting(new)) == 200
        with pytest.raises(httpx.ConnectError, match="verify"):
            await health(door.url, trusting(old))
        (tmp_path / "server.pem").write_text("nonsense")
        assert await health(door.url, trusting(new)) == 200  # the last good one stays


async def test_callers_show_certificates_whose_authority_may_change(tmp_path, caplog):
    ours, callers, later = trustme.CA(), trustme.CA(), trustme.CA()
    issue(tmp_path, ours)
    callers.cert_pem.write_to_path(tmp_path / "callers.pem")
    caplog.set_level(logging.INFO)
    files = {"tls_cert": "server.pem", "tls_key": "server.key", "tls_client_ca": "callers.pem"}
    async with opened(**{name: tmp_path / file for name, file in files.items()}) as door:

        async def models(authority: trustme.CA, name: str) -> int:
            context = trusting(ours)
            authority.issue_cert("caller.test", common_name=name).configure_cert(context)
            async with httpx.AsyncClient(verify=context, trust_env=False) as client:
                return (await client.get(f"{door.url}/v1/models")).status_code

        assert await models(callers, "web-shop") == 200
        (line,) = [record for record in caplog.records if record.msg == "call"]
        assert vars(line)["caller"] == "web-shop"
        with pytest.raises(httpx.HTTPError):
            await health(door.url, trusting(ours))
        with pytest.raises(httpx.HTTPError):
            await models(later, "stranger")
        later.cert_pem.write_to_path(tmp_path / "callers.pem")
        assert await models(later, "colleague") == 200
        with pytest.raises(httpx.HTTPError):
            await models(callers, "web-shop")


def gateway(**settings) -> Gateway:
    return Gateway(GatewaySettings(server="127.0.0.1:9", port=0, metrics_port=None, **settings))


def test_a_wrong_certificate_is_said_at_the_start(tmp_path):
    issue(tmp_path, trustme.CA())
    issue(tmp_path, trustme.CA(), "other")
    settings = {"tls_cert": tmp_path / "server.pem", "tls_key": tmp_path / "other.key"}
    with pytest.raises(ServingError, match="its key"):
        server_context(GatewaySettings(**settings))


async def test_a_port_in_use_is_said_at_the_start():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ServingError, match="Cannot listen"):
        await gateway(http_port=taken.getsockname()[1]).__aenter__()


async def test_the_gateway_opens_the_door_and_says_that_it_cannot_serve_yet():
    async with gateway(http_port=free_port(), drain_s=5) as running:
        async with httpx.AsyncClient(base_url=f"http://{running.http_address}", trust_env=False) as client:
            assert (await client.get("/health")).status_code == 503
            refused = await client.get("/v1/models")
            assert refused.status_code == 503
            assert (refused.headers["retry-after"], refused.headers["x-should-retry"]) == ("2", "true")
        await running.drain()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", int(running.http_address.rpartition(":")[2])), 5)


async def test_no_door_without_a_port():
    async with gateway(http_port=0) as running:
        assert running.http_address == ""
