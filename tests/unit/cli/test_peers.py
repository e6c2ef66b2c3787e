"""An address where nobody answers is told in one line, within seconds."""

import http.server
import socket
import ssl
import threading
import time
from contextlib import contextmanager

import grpc
import pytest
import trustme

from triscribe import blocking
from triscribe.cli import peers
from triscribe.errors import UnavailableError, UsageError


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(peers, "PATIENCE_S", 0.6)


def reason(address):
    with pytest.raises(UnavailableError) as caught:
        blocking.run(peers.reach(address, "`triscribe serve`"))
    message = str(caught.value)
    assert message.startswith(f"{address} does not answer: is `triscribe serve` running there? (")
    assert "\n" not in message
    assert "AioRpcError" not in message
    return message


def test_a_closed_port():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    assert "nothing listens" in reason(address)
    assert "nothing listens" in reason(f"dns:///{address}")


def test_a_name_that_nobody_knows():
    assert "(the name is unknown)" in reason("nowhere.invalid:8001")


@contextmanager
def http_port(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_port_that_speaks_http(capfd):
    with http_port() as address:
        assert "another protocol" in reason(address)


def test_a_port_that_speaks_tls(capfd):
    certificate = trustme.CA().issue_cert("localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    with http_port(context) as address:
        assert "TLS" in reason(address)


@pytest.mark.parametrize(
    "address", ["", "localhost", "http://localhost:8000", "host:port", "a/b:1", ":8001", "\x1b[31m"]
)
def test_what_is_no_address_is_wrong_usage(address):
    with pytest.raises(UsageError, match="HOST:PORT") as caught:
        blocking.run(peers.reach(address, "`triscribe serve`"))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1:1", "[::1]:1", "::1:1", "dns:///localhost:1"])
def test_what_is_an_address_is_asked(address):
    with pytest.raises(UnavailableError):
        blocking.run(peers.reach(address, "`triscribe serve`"))


def test_a_server_that_listens_and_says_nothing_yet_is_waited_for_later():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        blocking.run(peers.reach(f"127.0.0.1:{silent.getsockname()[1]}", "`triscribe serve`"))


class NotReady(grpc.GenericRpcHandler):
    def service(self, _):
        def refuse(_, context):
            context.abort(grpc.StatusCode.UNAVAILABLE, "starting")

        return grpc.unary_unary_rpc_method_handler(refuse)


@pytest.mark.parametrize("handlers", [(), (NotReady(),)], ids=["knows no such call", "starting"])
def test_any_answer_is_an_answer(handlers):
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(1), handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        started = time.monotonic()
        blocking.run(peers.reach(f"127.0.0.1:{port}", "`triscribe serve`"))
        assert time.monotonic() - started < peers.PATIENCE_S
    finally:
        server.stop(0)


def test_a_server_that_comes_a_moment_later_is_met(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(peers, "PATIENCE_S", 20.0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_insecure_port(f"127.0.0.1:{port}")
    later = threading.Timer(0.5, server.start)
    later.start()
    try:
        blocking.run(peers.reach(f"127.0.0.1:{port}", "`triscribe serve`"))
    finally:
        later.join()
        server.stop(0)
