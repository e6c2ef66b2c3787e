"""HTTP's half of what happens around a call; the other half is `service.calls`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from starlette.types import Receive, Scope, Send

from triscribe.errors import ServerError
from triscribe.gateway.http.exchange import Exchange, peer
from triscribe.service.calls import Arrival, Call, Calls


@dataclass(frozen=True)
class HttpCall:
    """What a handler gets: the call, and its request and answer."""

    call: Call
    exchange: Exchange


Work = Callable[[HttpCall], Awaitable[None]]


class CallEndpoint:
    """A route whose requests are calls: an ASGI application around `Calls.answer`.

    Args:
        calls: of all doors.
        method: the name in metrics and log.
        span: verb and route, for traces.
        work: answers through the exchange.
        idle_s: longest time in which a caller neither sends nor reads anything.
    """

    def __init__(self, calls: Calls, method: str, span: str, work: Work, idle_s: float) -> None:
        self._calls = calls
        self._method = method
        self._span = span
        self._work = work
        self._idle_s = idle_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send, self._idle_s)
        call = Call(self._method, scope["state"]["request_id"])
        arrival = Arrival(exchange.headers, peer(scope), self._span, _no_deadline)
        try:
            await self._calls.answer(call, arrival, partial(self._work, HttpCall(call, exchange)))
        except ServerError as refusal:
            await exchange.refuse(refusal)
        except asyncio.CancelledError:
            if not exchange.gone:
                raise
            # The work has ended, and nobody waits for an answer.


def _no_deadline() -> float | None:
    """A caller that waits no longer goes away, which ends the work."""
    return None
