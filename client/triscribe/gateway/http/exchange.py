"""One HTTP request and its answer: the body piece by piece, a caller that goes away, refusals at any moment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from triscribe.errors import CancelledError, ServerError
from triscribe.gateway.http import errors

_LINGER_S = 2.0
_LINGER_BYTES = 64 * 2**20
"""How long, and how much, the rest of a body is read after an early refusal: a caller that is cut off while it still
sends may lose the answer."""


def peer(scope: Scope) -> str:
    """Who calls without a token: the name in its certificate, else its address."""
    client = scope.get("client") or ("unknown",)
    return str(scope["state"].get("certificate_name") or client[0])


class Exchange:
    """A request and its answer, over ASGI.

    Args:
        scope: of ASGI.
        receive: of ASGI.
        send: of ASGI.
        idle_s: longest time in which the caller neither sends nor reads anything.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, idle_s: float) -> None:
        self.scope = scope
        self.headers = Headers(scope=scope)
        self.gone = False
        self._receive = receive
        self._send = send
        self._idle_s = idle_s
        self._read_whole = self.headers.get("content-length", "0") == "0" and "transfer-encoding" not in self.headers
        self._started = ""
        self._finished = False

    async def body(self) -> AsyncIterator[bytes]:
        """The body, piece by piece.

        Raises:
            StalledError: nothing came for `idle_s` seconds.
            CancelledError: the caller went away.
        """
        while not self._read_whole:
            try:
                async with asyncio.timeout(self._idle_s):
                    message = await self._receive()
            except TimeoutError as error:
                raise errors.StalledError(f"nothing of the body came for {self._idle_s:g} s") from error
            if message["type"] == "http.disconnect":
                self.gone = True
                raise CancelledError("the caller went away")
            self._read_whole = not message.get("more_body", False)
            if piece := message.get("body", b""):
                yield piece

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Cancel the task inside when the caller goes away; the body has been read. asyncio would let it work on."""
        task = asyncio.current_task()

        async def watch() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            if task and not self._finished:  # the end of an answer is told as a disconnect, too
                self.gone = True
                task.cancel()

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    async def answer(self, response: Response) -> None:
        """Send an answer, whole or as it becomes known."""
        await response(self.scope, _nothing_more, self.send)

    async def send(self, message: Message) -> None:
        """One message of ASGI.

        Raises:
            TimeoutError: the caller has not read for `idle_s` seconds.
        """
        if message["type"] == "http.response.start":
            self._started = dict(message["headers"]).get(b"content-type", b"-").decode("latin-1")
        elif message["type"] == "http.response.body":
            self._finished = not message.get("more_body", False)
        async with asyncio.timeout(self._idle_s):
            await self._send(message)

    async def refuse(self, refusal: ServerError) -> None:
        """Tell the caller what went wrong, whatever it has got already."""
        if self.gone or self._finished:
            return
        if not self._started:
            await self._refuse_at_once(refusal)
        elif self._started.startswith("text/event-stream"):
            event = f"data: {json.dumps(errors.body(refusal))}\n\n".encode()
            await self._last({"type": "http.response.body", "body": event, "more_body": False})

    async def _refuse_at_once(self, refusal: ServerError) -> None:
        response = errors.response(refusal)
        if self._read_whole:
            await self.answer(response)
            return
        response.headers["connection"] = "close"
        await self._last(
            {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        )
        await self._last({"type": "http.response.body", "body": response.body, "more_body": True})
        with suppress(TimeoutError, ServerError):
            async with asyncio.timeout(_LINGER_S):
                await self._read_on()
        await self._last({"type": "http.response.body", "body": b"", "more_body": False})

    async def _read_on(self) -> None:
        read = 0
        async for piece in self.body():
            read += len(piece)
            if read > _LINGER_BYTES:
                return

    async def _last(self, message: Message) -> None:
        with suppress(TimeoutError):
            await self.send(message)


async def _nothing_more() -> Message:
    """For responses that watch the caller themselves: `watched` does it, and knows the end from a disconnect."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")
