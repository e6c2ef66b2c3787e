"""What every request passes, of HTTP and of WebSockets: an id, and the page that it comes from."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triscribe.gateway.http import errors
from triscribe.service.calls import request_id

_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


class RequestIds:
    """Takes `x-request-id` from the caller, or makes one, and sends it back; `scope["state"]["request_id"]` has it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        chosen = scope.setdefault("state", {})["request_id"] = request_id(Headers(scope=scope))

        async def with_id(message: Message) -> None:
            if message["type"] in _STARTS:
                MutableHeaders(scope=message)["x-request-id"] = chosen
            await send(message)

        await self._app(scope, receive, with_id)


class Origins:
    """Refuses what a browser sends for a page that is not named.

    Without CORS headers a browser hides the answers from the page, but it sends the requests all the same; and it opens
    WebSockets for any page.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        origin = Headers(scope=scope).get("origin")
        if origin is None or "*" in self._allowed or origin in self._allowed:
            await self._app(scope, receive, send)
        else:
            refusal = errors.ForbiddenOriginError("pages of this origin are not named in the gateway's http_origins")
            await errors.response(refusal)(scope, receive, send)
