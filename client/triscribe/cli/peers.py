"""Whether somebody listens at an address that the user gave, asked before any work."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress

import grpc

from triscribe.errors import UnavailableError, UsageError
from triscribe.rpc import said

PATIENCE_S = 3.0
"""How long a peer may take to be there; with the start of the command a user is told within 5 s."""

_LAST_LOOK_S = 0.5
_PAUSE_S = 0.25

_ADDRESS = re.compile(r"[^/]*[^/:]\]?:\d{1,5}|(dns|ipv4|ipv6|unix|unix-abstract|xds):.+")
"""HOST:PORT, or what gRPC calls a target."""

# Parts of gRPC's own words → what they mean to a person.
_REASONS = (
    ("refused", "nothing listens there"),
    ("address lookup failed", "the name is unknown"),
    ("errors resolving", "the address cannot be resolved"),
    ("HTTP/2", "it speaks another protocol: name the gRPC port"),
    ("http1", "it speaks another protocol: name the gRPC port"),
    ("Socket closed", "it closes every connection: another protocol, or TLS, which the command does not speak"),
    ("reset", "it resets every connection: another protocol, or TLS, which the command does not speak"),
    ("unreachable", "there is no way to it in the network"),
    ("No route", "there is no way to it in the network"),
)


async def reach(address: str, what: str, *, proxied: bool = True) -> None:
    """Return as soon as something answers at `address`, ready or not: what is starting is waited for later.

    Args:
        address: HOST:PORT, or another gRPC target.
        what: is expected there, for the message.
        proxied: go through the proxy of the environment, if there is one.

    Raises:
        UsageError: this is no address.
        UnavailableError: nobody is there; the message is one line.
    """
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"{what} is asked at HOST:PORT, such as 127.0.0.1:8001, not at {address!r}")
    deadline = time.monotonic() + PATIENCE_S
    options = [("grpc.enable_http_proxy", int(proxied))]
    async with grpc.aio.insecure_channel(address, options) as channel:
        # Any answer will do, be it that there is no such method; no package of ours has to know this one.
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
        while True:
            try:
                await check(b"", timeout=max(0.1, deadline - time.monotonic()))
                return
            except grpc.aio.AioRpcError as error:
                if channel.get_state() is grpc.ChannelConnectivity.READY:
                    return
                silent = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                details = said(error)
            if silent and await _accepts(address):  # it listens, and is too busy or too new to speak
                return
            if time.monotonic() + _PAUSE_S > deadline:
                break
            await asyncio.sleep(_PAUSE_S)
    raise UnavailableError(f"{address} does not answer: is {what} running there? ({_reason(details, silent=silent)})")


def _reason(details: str, *, silent: bool) -> str:
    if silent:
        return "no answer to a connection"
    return next((reason for words, reason in _REASONS if words in details), details)


async def _accepts(address: str) -> bool:
    """Whether a plain TCP connection is taken."""
    host, _, port = address.rsplit("/", 1)[-1].rpartition(":")
    with suppress(OSError, ValueError, TimeoutError):
        _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), _LAST_LOOK_S)
        writer.close()
        return True
    return False
