"""The Realtime door: OpenAI's WebSocket for live transcription."""

from triscribe.gateway.realtime.context import RealtimeContext
from triscribe.gateway.realtime.door import realtime_route

__all__ = ["RealtimeContext", "realtime_route"]
