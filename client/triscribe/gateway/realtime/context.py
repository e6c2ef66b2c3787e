"""What the Realtime door needs of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Scope

from triscribe.errors import ServerError
from triscribe.service.calls import Calls
from triscribe.service.settings import GatewaySettings
from triscribe.service.streams import Streams
from triscribe.service.watch import Watcher


@dataclass(frozen=True)
class RealtimeContext:
    """What the Realtime door needs of the gateway.

    Attributes:
        settings: limits.
        calls: go round every session.
        streams: recognise.
        watcher: knows what is served.
        draining: set when the gateway is to end; sessions end when their callers wait for nothing.
        origins: web pages that may connect from a browser; "*" lets all of them.
        resolve_model: the name of the model that a caller means, never empty; None is the usual one.
        peer: who calls, where there are no tokens.
        error_body: an error as OpenAI tells it: "type", "code", "message" and "param".
        refused: the HTTP answer to a caller that does not get in, by the error and the id of the request.
    """

    settings: GatewaySettings
    calls: Calls
    streams: Streams
    watcher: Watcher
    draining: asyncio.Event
    origins: Collection[str]
    resolve_model: Callable[[str | None], str]
    peer: Callable[[Scope], str]
    error_body: Callable[[ServerError], dict[str, str | None]]
    refused: Callable[[ServerError, str], Response]
