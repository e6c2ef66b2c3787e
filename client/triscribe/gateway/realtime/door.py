"""The WebSocket `/v1/realtime`: who may come in, and with which code a connection ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from triscribe.errors import CancelledError, InvalidArgumentError, ServerError, ShuttingDownError, TooLargeError
from triscribe.gateway.http import errors
from triscribe.gateway.http.exchange import peer
from triscribe.gateway.realtime.context import RealtimeContext
from triscribe.gateway.realtime.inbox import Inbox
from triscribe.gateway.realtime.messages import SessionConfig
from triscribe.gateway.realtime.outlet import CallerLeftError, Outlet
from triscribe.gateway.realtime.session import Session
from triscribe.service.calls import Arrival, Call

PATH = "/v1/realtime"
_SUBPROTOCOL = "realtime"
_TOKEN = "openai-insecure-api-key."  # noqa: S105 - what a browser puts before its token
_QUERY = ("intent", "model")

_CLOSE = {
    "INVALID_ARGUMENT": 1007,
    "DEADLINE_EXCEEDED": 1008,
    "RESOURCE_EXHAUSTED": 1013,
    "UNAVAILABLE": 1013,
}
"""Codes of RFC 6455 for what ends a session; all else is 1011."""

_LAST_WORD_S = 1.0
"""How long the reason of an end waits for its reader, who may be the reason."""


def realtime_route(context: RealtimeContext) -> WebSocketRoute:
    """The route of the door; it stands behind the middleware of `gateway.http`."""

    async def realtime(websocket: WebSocket) -> None:
        await _answer(context, websocket)

    return WebSocketRoute(PATH, realtime)


async def _answer(context: RealtimeContext, websocket: WebSocket) -> None:
    """Let a caller in, serve it, and say why where that ends."""
    headers = dict(websocket.headers)
    call = Call("Realtime", websocket.state.request_id)
    token = _browser_token(websocket)
    if token is not None and "authorization" not in headers:
        headers["authorization"] = f"Bearer {token}"
    arrival = Arrival(headers, peer(websocket.scope), PATH, lambda: None)
    try:
        await context.calls.answer(call, arrival, partial(_serve, context, websocket, call))
    except ServerError as refusal:
        with suppress(CallerLeftError, WebSocketDisconnect, TimeoutError):
            await _refuse(websocket, refusal)


async def _serve(context: RealtimeContext, websocket: WebSocket, call: Call) -> None:
    outlet = Outlet(websocket, context.settings.idle_s)
    session = Session(context, call, outlet, _first_config(context, websocket))
    subprotocol = _SUBPROTOCOL if _SUBPROTOCOL in websocket.scope["subprotocols"] else None
    try:
        await websocket.accept(subprotocol)
    except WebSocketDisconnect as gone:
        raise CancelledError("the caller went away") from gone
    inbox = Inbox(websocket, context.settings.idle_s, lambda: session.working)
    await session.run(inbox)


def _first_config(context: RealtimeContext, websocket: WebSocket) -> SessionConfig:
    query = websocket.query_params
    for name in query:
        if name not in _QUERY:
            raise InvalidArgumentError(f"there is no parameter {name!r}", field=name)
    if query.get("intent", "transcription") != "transcription":
        raise InvalidArgumentError("this server transcribes: intent=transcription", field="intent")
    return SessionConfig.of_model(query.get("model") or context.model(None))


async def _refuse(websocket: WebSocket, refusal: ServerError) -> None:
    """Say why, as far as anybody listens."""
    if refusal.code == "CANCELLED":
        return
    if websocket.application_state == WebSocketState.CONNECTING:
        await websocket.send_denial_response(errors.response(refusal))
        return
    async with asyncio.timeout(_LAST_WORD_S):
        await Outlet(websocket, _LAST_WORD_S).error(refusal)
        await websocket.close(_close_code(refusal), refusal.code)


def _close_code(refusal: ServerError) -> int:
    if isinstance(refusal, ShuttingDownError):
        return 1012
    return 1009 if isinstance(refusal, TooLargeError) else _CLOSE.get(refusal.code, 1011)


def _browser_token(websocket: WebSocket) -> str | None:
    """The token that a page gives, which can set no header."""
    for name in websocket.scope["subprotocols"]:
        if name.startswith(_TOKEN):
            return str(name.removeprefix(_TOKEN))
    return None
