"""Faults of benchmarks/reliability/faults that no other test makes; the whole matrix is in docs/reliability.md."""

import asyncio

import pytest
from benchmarks.load.replicas import short_calls
from benchmarks.reliability.faults import network as faults_network
from benchmarks.reliability.faults.stage import Seen, find_part, stop
from benchmarks.reliability.faults.triton import under_load

from tests.harness.processes import wait_for
from triscribe.serving.supervisor import State

pytestmark = pytest.mark.server


class Embedded:
    """The shared server, as the faults see a service."""

    def __init__(self, triton):
        self._triton = triton
        self.url = triton.url

    def is_ready(self):
        return self._triton.supervisor.state is State.SERVING

    def part(self, name):
        return find_part(self._triton.supervisor.process.pid, name)


@pytest.fixture
def serving(server):
    """Whatever the test does, the next one finds a server that serves."""
    yield Embedded(server)
    assert wait_for(lambda: server.supervisor.state is State.SERVING, 60)


@pytest.fixture(scope="module")
def expected(server):
    return asyncio.run(short_calls(server.url, 8, callers=8))


def test_a_stopped_worker_shows_at_once_and_is_replaced(serving, expected):
    seen: Seen = under_load(serving, "whisper-base", stop, expected)
    assert seen.ok, seen


async def test_a_link_that_carries_nothing_any_more_is_really_cut():
    """The proxy of the matrix: bytes arrive before the cut, none after it, and a new connection is carried."""

    async def echo(reader, writer):
        while piece := await reader.read(100):
            writer.write(piece)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = faults_network.Link("127.0.0.1", server.sockets[0].getsockname()[1])
    async with server, link as address:
        port = int(address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        link.cut()
        writer.write(b"b")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await reader.readexactly(1)
        again, other = await asyncio.open_connection("127.0.0.1", port)
        other.write(b"c")
        assert await again.readexactly(1) == b"c"
        writer.close()
        other.close()
