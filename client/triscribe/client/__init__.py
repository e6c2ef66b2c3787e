"""Clients of the gateway: `Client` for threads, `AsyncClient` for asyncio. Both answer with `triscribe.Transcript`.

What `pip install triscribe` brings without extras is all that this package needs.
"""

from triscribe.client.aio import AsyncClient
from triscribe.client.connection import Connection, tls_credentials
from triscribe.client.options import LiveOptions, PcmFormat, RecognitionOptions
from triscribe.client.results import GatewayInfo, LiveEnd, LiveEvent, LiveResult, ModelInfo, SpeechActivity
from triscribe.client.sync import Client
from triscribe.diarization.options import DiarizationOptions

__all__ = [
    "AsyncClient",
    "Client",
    "Connection",
    "DiarizationOptions",
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
