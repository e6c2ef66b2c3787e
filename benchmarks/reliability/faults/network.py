"""Faults of connections: callers that drip bytes, and links that carry nothing any more without having ended."""

from __future__ import annotations

import asyncio
import time

from benchmarks.load.replicas import short_calls
from benchmarks.reliability.faults.stage import CALLERS, CALLS, Fault, Seen, Stage

DRIPPING = 200
"""Connections that begin and never get on."""
KEEPALIVE_S = 40.0
"""After which a client gives up a silent link: it asks after 30 s and waits 10 s (triscribe.triton.connection)."""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Link:
    """A TCP proxy that can be cut without telling either side; what connects afterwards is carried."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._cut = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> str:
        """Listen; gives HOST:PORT."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()

    def cut(self) -> None:
        """Carry nothing more on the connections that are open, in either direction."""
        self._cut.set()
        self._cut = asyncio.Event()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, ours), (theirs, writer)):
            task = asyncio.create_task(self._pump(source, sink, self._cut))
            self._tasks.add(task)

    @staticmethod
    async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, cut: asyncio.Event) -> None:
        while piece := await source.read(65536):
            if cut.is_set():
                await asyncio.Event().wait()  # neither end nor bytes
            sink.write(piece)
            await sink.drain()
        sink.close()


def half_open(stage: Stage) -> Seen:
    """The link to Triton is cut without a word under load: keep-alive notices, and the calls are made again."""
    service, expected = stage.service, stage.calls

    async def calls() -> tuple[bool, float]:
        link, reached = Link("127.0.0.1", service.grpc), asyncio.Event()
        async with link as address:
            job = asyncio.create_task(
                short_calls(
                    address, CALLS, callers=CALLERS, on_result=lambda done: reached.set() if done >= 4 else None
                )
            )
            await reached.wait()
            link.cut()
            started = time.monotonic()
            return await job == expected, time.monotonic() - started

    equal, took = asyncio.run(calls())
    return Seen(equal and took >= KEEPALIVE_S / 2, f"all answered {took:.0f} s after the cut", equal=equal)


def dripping(stage: Stage) -> Seen:
    """Connections that send a byte of HTTP/2 a second to Triton and to its health port, while others call."""
    service, expected = stage.service, stage.calls

    async def drip(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for byte in _PREFACE * 100:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        except OSError:  # the server has had enough
            pass
        finally:
            writer.close()

    async def calls() -> bool:
        ports = (service.grpc, service.health)
        slow = [asyncio.create_task(drip(ports[index % 2])) for index in range(DRIPPING)]
        await asyncio.sleep(2)
        results = await short_calls(service.url, CALLS, callers=CALLERS)
        ready = await asyncio.to_thread(service.is_ready)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return results == expected and ready

    equal = asyncio.run(calls())
    return Seen(equal, "served on, stayed ready" if equal else "disturbed", equal=equal)


def faults() -> list[Fault]:
    """The rows of this part."""
    return [
        Fault(
            "half-open",
            "the link to Triton is cut without an end, under load",
            "noticed in 40 s, nothing lost",
            half_open,
        ),
        Fault("dripping", f"{DRIPPING} connections that drip a byte a second", "the others do not notice", dripping),
    ]
