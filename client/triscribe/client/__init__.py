"""Clients of the gateway: `Client` for threads, `AsyncClient` for asyncio. Both answer with `triscribe.types`."""

from triscribe.client.aio import AsyncClient
from triscribe.client.connection import Connection, tls_credentials
from triscribe.client.options import LiveOptions, PcmFormat, RecognitionOptions
from triscribe.client.results import GatewayInfo, LiveEnd, LiveEvent, LiveResult, ModelInfo, SpeechActivity
from triscribe.client.sync import Client

__all__ = [
    "AsyncClient",
    "Client",
    "Connection",
    "GatewayInfo",
    "LiveEnd",
    "LiveEvent",
    "LiveOptions",
    "LiveResult",
    "ModelInfo",
    "PcmFormat",
    "RecognitionOptions",
    "SpeechActivity",
    "tls_credentials",
]
