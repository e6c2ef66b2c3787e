"""A session before a recogniser that does what a test says."""

from __future__ import annotations

import asyncio
import base64
from types import SimpleNamespace
from typing import Any

from triscribe.gateway.realtime import RealtimeContext
from triscribe.live.events import FinalResult
from triscribe.service.calls import Calls
from triscribe.service.catalogue import Catalogue, ServedModel
from triscribe.service.limits import CallLimits
from triscribe.service.metrics import Metrics
from triscribe.service.settings import GatewaySettings
from triscribe.service.streams import StreamEnd
from triscribe.types import Segment

SECOND = base64.b64encode(bytes(2 * 24000)).decode()
END = StreamEnd("base", "en", 1.0, 1.0, ())
CATALOGUE = Catalogue({"base": ServedModel("base", frozenset({"en"}), ("transcribe",))}, ())


def final(text: str) -> FinalResult:
    return FinalResult((Segment(0.1, 0.9, text, "en", -0.1, 0.0, 1.0, 0.0),), 0.0)


class Script:
    """Streams that each take a second of audio, tell what is written for them, and end as it says."""

    def __init__(self, *streams: list[Any]) -> None:
        self._streams = list(streams)

    async def recognize(self, call, live, packets):
        taken = 0
        async for packet in packets:
            taken += len(packet)
            if taken >= 2 * 24000 and live.listening.events:
                break  # utterances end by themselves
        for told in self._streams.pop(0):
            if isinstance(told, Exception):
                raise told
            yield told


def context_of(script: Script, metrics: Metrics | None = None, **settings: Any) -> RealtimeContext:
    """A door with these streams."""
    return RealtimeContext(
        settings=GatewaySettings(**settings),
        calls=Calls(None, CallLimits(9, 9), metrics or Metrics()),
        streams=script,  # type: ignore[arg-type]
        watcher=SimpleNamespace(catalogue=CATALOGUE),  # type: ignore[arg-type]
        draining=asyncio.Event(),
    )
