import socket

import pytest

from triscribe.errors import ServingError
from triscribe.serving.ports import ReservedPorts


def test_ports_are_chosen_and_stay_reserved():
    with ReservedPorts() as first, ReservedPorts() as second:
        chosen = [first.grpc, first.http, second.grpc, second.http]
        assert len(set(chosen)) == 4
        assert all(chosen)
        assert first.metrics
        for port in chosen:
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))


def test_ports_are_free_again_afterwards():
    with ReservedPorts() as ports:
        chosen = ports.grpc
    with socket.socket() as other:
        other.bind(("127.0.0.1", chosen))


@pytest.mark.parametrize("name", ["grpc", "http", "metrics"])
def test_a_busy_port_is_told_with_a_remedy(name):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServingError) as caught:
            ReservedPorts(**{name: port}).__enter__()
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "choose another port" in str(caught.value)


def test_a_server_of_ours_on_the_port_is_a_conflict_too():
    """SO_REUSEPORT, with which Triton shares our reservation, must not let two servers share a port."""
    with ReservedPorts() as ports, pytest.raises(ServingError):
        ReservedPorts(grpc=ports.grpc).__enter__()


def test_a_failure_gives_back_what_was_taken():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        with pytest.raises(ServingError):
            ReservedPorts(grpc=free, http=busy.getsockname()[1]).__enter__()
    with socket.socket() as other:
        other.bind(("127.0.0.1", free))


def test_an_address_that_is_not_ours_is_told():
    with pytest.raises(ServingError, match=r"192\.0\.2\.1"):
        ReservedPorts("192.0.2.1").__enter__()
