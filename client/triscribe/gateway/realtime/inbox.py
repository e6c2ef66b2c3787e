"""Messages of the caller, read ahead: who leaves is noticed while its audio still waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.websockets import WebSocket

from triscribe.errors import DeadlineExceededError
from triscribe.gateway.realtime.outlet import CallerLeftError

_AHEAD_BYTES = 16 * 2**20
_AHEAD = 64
"""Bytes and number of messages that nobody has taken; beyond these no more is read."""

BINARY = object()
"""Stands in for a message that is no text."""


class Inbox:
    """Belongs to one connection; `fill` runs beside whoever calls `get`.

    Args:
        websocket: is read.
        idle_s: longest pause between two messages, in seconds.
        working: whether the caller rightly waits.
    """

    def __init__(self, websocket: WebSocket, idle_s: float, working: Callable[[], bool]) -> None:
        self._websocket = websocket
        self._idle_s = idle_s
        self._working = working
        self._messages: deque[str | object] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()

    @property
    def is_empty(self) -> bool:
        """Whether all messages were taken."""
        return not self._messages

    async def fill(self) -> None:
        """Read until the caller leaves.

        Raises:
            CallerLeftError: it did.
            DeadlineExceededError: it says nothing, and nothing is being done for it.
        """
        while True:
            text = await self._next()
            async with self._changed:
                self._messages.append(text)
                self._bytes += _size(text)
                self._changed.notify_all()
                await self._changed.wait_for(lambda: self._bytes <= _AHEAD_BYTES and len(self._messages) < _AHEAD)

    async def get(self) -> str | object:
        """The next message, or `BINARY`."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._messages))
            text = self._messages.popleft()
            self._bytes -= _size(text)
            self._changed.notify_all()
            return text

    async def _next(self) -> str | object:
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    message = await self._websocket.receive()
                break
            except TimeoutError as error:
                if not self._working():
                    raise DeadlineExceededError(f"no message came for {self._idle_s:g} s") from error
        if message["type"] == "websocket.disconnect":
            raise CallerLeftError(message.get("code", 1005))
        text = message.get("text")
        return BINARY if text is None else str(text)


def _size(text: str | object) -> int:
    return len(text) if isinstance(text, str) else 0
