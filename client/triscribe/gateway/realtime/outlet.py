"""Events on their way to the caller."""

from __future__ import annotations

import json
import uuid
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from triscribe.errors import ServerError


class CallerLeftError(Exception):
    """The caller closed the connection, with this code, or lost it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the caller left with {code}")
        self.code = code


def new_id(kind: str) -> str:
    """A name that no other event, item or session has."""
    return f"{kind}_{uuid.uuid4().hex[:24]}"


class Outlet:
    """Sends; waits while the caller does not read."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def send(self, kind: str, **fields: Any) -> None:
        """Send one event.

        Raises:
            CallerLeftError: there is nobody to send it to.
        """
        event = {"event_id": new_id("event"), "type": kind} | fields
        try:
            await self._websocket.send_text(json.dumps(event))
        except WebSocketDisconnect as gone:
            raise CallerLeftError(gone.code) from gone

    async def error(self, error: ServerError, cause: str | None = None) -> None:
        """Tell of an error; `cause` is the caller's name of the event that led to it."""
        await self.send("error", error=error_body(error) | {"event_id": cause})


_TYPES = {
    "UNAUTHENTICATED": "authentication_error",
    "RESOURCE_EXHAUSTED": "rate_limit_error",
    "UNAVAILABLE": "server_error",
    "DEADLINE_EXCEEDED": "server_error",
    "INTERNAL": "server_error",
}

_CODES = {
    "INVALID_ARGUMENT": "invalid_value",
    "NOT_FOUND": "model_not_found",
    "FAILED_PRECONDITION": "unsupported_value",
}

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


class EmptyBufferError(ServerError):
    """There is nothing to commit; OpenAI has a code for this one."""

    code = "INVALID_ARGUMENT"


def error_body(error: ServerError) -> dict[str, str | None]:
    """An error as OpenAI tells it."""
    code = _CODES.get(error.code, error.code.lower())
    return {
        "type": _TYPES.get(error.code, "invalid_request_error"),
        "code": "input_audio_buffer_commit_empty" if isinstance(error, EmptyBufferError) else code,
        "message": str(error),
        "param": _PARAMS.get(error.field or "", error.field),
    }
