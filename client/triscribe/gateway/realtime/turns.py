"""A stretch of the caller's audio that is recognised as one stream, and how its results become items."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Literal, Protocol

from triscribe.errors import ServerError
from triscribe.gateway.realtime.items import Conversation, Item
from triscribe.gateway.realtime.messages import SessionConfig
from triscribe.live.events import FinalResult, InterimResult, SpeechActivity, UtteranceFinal
from triscribe.service.requests import LiveRecognition
from triscribe.service.streams import StreamEnd, StreamEvent

_PIECE_BYTES = 32 * 1024
_PIECES = 16
"""Audio that waits here at most; beyond it no more is taken from the caller."""

Ending = Literal["committed", "cleared", "changed"]
"""Why no more audio comes: as the caller said, or because the session has other settings now."""


class Stretch:
    """Audio of one session under one configuration.

    Args:
        config: the session as it was.
        live: the same as the service checked it.
        start_s: seconds of audio in the session before it.
    """

    def __init__(self, config: SessionConfig, live: LiveRecognition, start_s: float) -> None:
        self.config = config
        self.live = live
        self.start_s = start_s
        self.ending: Ending | None = None
        self.exhausted = False
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(_PIECES)
        self._bytes_a_second = live.pcm.sample_rate * live.pcm.frame_bytes
        self._added = self._taken = 0

    @property
    def length_s(self) -> float:
        """Seconds that were added."""
        return self._added / self._bytes_a_second

    @property
    def is_due(self) -> bool:
        """Whether there is audio that was not taken, or all of it is to be finished."""
        return self._added > self._taken or self.ending is not None

    @property
    def reached_s(self) -> float:
        """Where in the session what was taken ends."""
        return self.start_s + self._taken / self._bytes_a_second

    async def add(self, audio: bytes) -> None:
        """Add audio; waits while too much of it was not taken."""
        self._added += len(audio)
        for start in range(0, len(audio), _PIECE_BYTES):
            await self._waiting.put(audio[start : start + _PIECE_BYTES])

    async def close(self, ending: Ending) -> None:
        """Say that no more comes."""
        self.ending = ending
        await self._waiting.put(b"")

    async def packets(self) -> AsyncIterator[bytes]:
        """The audio, as it comes in."""
        while not self.exhausted:
            piece = await self._waiting.get()
            self._taken += len(piece)
            self.exhausted = not piece
            if piece:
                yield piece


class Turns(Protocol):
    """Makes items of the results of a stretch."""

    @property
    def pending(self) -> bool:
        """Whether the caller may still expect something."""

    @property
    def finished(self) -> bool:
        """Whether all that comes would be dropped."""

    async def audio_ended(self) -> None:
        """All audio of the stretch was taken."""

    async def take(self, event: StreamEvent) -> None:
        """Take what the stream tells."""

    async def fail(self, error: ServerError) -> bool:
        """The stream has failed; whether that could be told of an item."""


def turns_of(stretch: Stretch, conversation: Conversation) -> Turns:
    """By the configuration of the stretch."""
    made = VoiceTurns if stretch.config.input.turn_detection else BufferTurn
    return made(stretch, conversation)


class BufferTurn:
    """The caller makes the turns: all of a stretch is one item."""

    def __init__(self, stretch: Stretch, conversation: Conversation) -> None:
        self._stretch = stretch
        self._item = _item(stretch, conversation, stretch.start_s)

    @property
    def pending(self) -> bool:
        """See `Turns`."""
        return self._stretch.is_due

    @property
    def finished(self) -> bool:
        """See `Turns`."""
        return False

    async def audio_ended(self) -> None:
        """See `Turns`."""
        if self._stretch.ending == "cleared":
            raise ClearedError
        await self._commit()

    async def take(self, event: StreamEvent) -> None:
        """See `Turns`."""
        if isinstance(event, FinalResult | InterimResult):
            await self._item.hear(event)
        elif isinstance(event, StreamEnd):
            await self._item.complete()

    async def fail(self, error: ServerError) -> bool:
        """See `Turns`. What is still to come of the buffer cannot mend it."""
        async for _ in self._stretch.packets():
            pass
        if self._stretch.ending != "cleared":
            if not self._item.committed:
                await self._commit()
            await self._item.fail(error)
        return True

    async def _commit(self) -> None:
        self._item.end_s = self._stretch.start_s + self._stretch.length_s
        await self._item.commit()


class VoiceTurns:
    """Voice detection makes the turns: each utterance is an item."""

    def __init__(self, stretch: Stretch, conversation: Conversation) -> None:
        self._stretch = stretch
        self._conversation = conversation
        self._offset_s = stretch.reached_s  # a stretch that failed is gone on with
        self._items: deque[Item] = deque()
        self._cut_short = False
        self._committed_s = self._offset_s

    @property
    def pending(self) -> bool:
        """See `Turns`."""
        return bool(self._items) or self._stretch.is_due

    @property
    def finished(self) -> bool:
        """See `Turns`."""
        return self._stretch.ending == "cleared" and self._cut_short and all(item.dropped for item in self._items)

    async def audio_ended(self) -> None:
        """See `Turns`. The recogniser ends what was open."""

    async def take(self, event: StreamEvent) -> None:
        """See `Turns`."""
        match event:
            case SpeechActivity(begins=True, edge_s=edge_s):
                await self._begin(self._offset_s + edge_s)
            case SpeechActivity(edge_s=edge_s, cut_short=cut_short):
                await self._end(self._items[-1], self._offset_s + edge_s, cut_short=cut_short)
            case FinalResult() | InterimResult():
                await self._items[0].hear(event)
            case UtteranceFinal():
                await self._items.popleft().complete()
            case StreamEnd():
                if self._stretch.ending == "committed" and not self._cut_short:
                    await self._silent(self._committed_s, self._stretch.reached_s)
            case silence:
                start_s, end_s = self._offset_s + silence.start_s, self._offset_s + silence.end_s
                await self._silent(start_s, end_s, is_timeout=True)

    async def fail(self, error: ServerError) -> bool:
        """See `Turns`."""
        could = bool(self._items)
        while self._items:
            item = self._items.popleft()
            if not item.committed and self._stretch.ending == "cleared":
                continue
            if not item.committed:
                await self._end(item, self._stretch.reached_s, cut_short=False)
            await item.fail(error)
        return could

    async def _begin(self, start_s: float) -> None:
        item = _item(self._stretch, self._conversation, self._offset_s)
        item.start_s = start_s
        self._items.append(item)
        await item.send("input_audio_buffer.speech_started", audio_start_ms=round(start_s * 1000))

    async def _end(self, item: Item, end_s: float, *, cut_short: bool) -> None:
        item.end_s, self._cut_short = end_s, cut_short
        if cut_short and self._stretch.ending == "cleared":
            item.dropped = True
            return
        if not (cut_short and self._stretch.ending == "committed"):
            await item.send("input_audio_buffer.speech_stopped", audio_end_ms=round(end_s * 1000))
        self._committed_s = end_s
        await item.commit()

    async def _silent(self, start_s: float, end_s: float, *, is_timeout: bool = False) -> None:
        """An item of audio in which nobody speaks."""
        item = _item(self._stretch, self._conversation, self._offset_s)
        item.start_s, item.end_s = start_s, end_s
        if is_timeout:
            times = {"audio_start_ms": round(start_s * 1000), "audio_end_ms": round(end_s * 1000)}
            await item.send("input_audio_buffer.timeout_triggered", **times)
        self._committed_s = end_s
        await item.commit()
        await item.complete()


class ClearedError(Exception):
    """The caller has cleared all that the stretch was about."""


def _item(stretch: Stretch, conversation: Conversation, offset_s: float) -> Item:
    return Item(conversation, bool(stretch.config.include), offset_s, start_s=stretch.start_s)
