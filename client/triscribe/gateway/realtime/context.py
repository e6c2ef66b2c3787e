"""What the Realtime door needs of the gateway."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

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
    """

    settings: GatewaySettings
    calls: Calls
    streams: Streams
    watcher: Watcher
    draining: asyncio.Event

    def model(self, name: str | None) -> str:
        """The name of the model that a caller means; see `Catalogue.resolve`."""
        return self.watcher.catalogue.resolve(name, self.settings.http_models)
