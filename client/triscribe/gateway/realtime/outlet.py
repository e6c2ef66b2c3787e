"""Events on their way to the caller."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from triscribe.errors import InvalidArgumentError, ServerError
from triscribe.gateway.http import errors

EMPTY_BUFFER = "input_audio_buffer_commit_empty"

_PARAMS = {
    "model": "session.audio.input.transcription.model",
    "language": "session.audio.input.transcription.language",
    "languages": "session.audio.input.transcription.languages",
    "initial_prompt": "session.audio.input.transcription.prompt",
    "hotwords": "session.audio.input.transcription.keywords",
    "voice": "session.audio.input.turn_detection.threshold",
    "speech_end_timeout": "session.audio.input.turn_detection.silence_duration_ms",
    "prefix": "session.audio.input.turn_detection.prefix_padding_ms",
    "idle": "session.audio.input.turn_detection.idle_timeout_ms",
}
"""Names that refusals use inside, and where a session has them."""


class EmptyBufferError(InvalidArgumentError):
    """There is nothing to commit; OpenAI has a code for this one."""


class CallerLeftError(Exception):
    """The caller closed the connection, with this code, or lost it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the caller left with {code}")
        self.code = code


def new_id(kind: str) -> str:
    """A name that no other event, item or session has."""
    return f"{kind}_{uuid.uuid4().hex[:24]}"


class Outlet:
    """Sends; waits while the caller does not read, for a while.

    Args:
        websocket: to the caller.
        idle_s: longest time in which the caller reads nothing.
    """

    def __init__(self, websocket: WebSocket, idle_s: float) -> None:
        self._websocket = websocket
        self._idle_s = idle_s

    async def send(self, kind: str, **fields: Any) -> None:
        """Send one event.

        Raises:
            CallerLeftError: there is nobody to send it to.
            TimeoutError: the caller has not read for `idle_s` seconds.
        """
        event = {"event_id": new_id("event"), "type": kind} | fields
        try:
            async with asyncio.timeout(self._idle_s):
                await self._websocket.send_text(json.dumps(event))
        except WebSocketDisconnect as gone:
            raise CallerLeftError(gone.code) from gone

    async def error(self, error: ServerError, cause: str | None = None) -> None:
        """Tell of an error; `cause` is the caller's name of the event that led to it."""
        await self.send("error", error=self.told(error) | {"event_id": cause})

    def told(self, error: ServerError) -> dict[str, str | None]:
        """The error in the words of a session."""
        body: dict[str, str | None] = errors.body(error)["error"] | {
            "param": _PARAMS.get(error.field or "", error.field)
        }
        return body | {"code": EMPTY_BUFFER} if isinstance(error, EmptyBufferError) else body
