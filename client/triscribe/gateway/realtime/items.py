"""One turn of the caller: what is told of it, from its first word to its whole text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from triscribe.errors import ServerError
from triscribe.gateway.realtime.outlet import Outlet, new_id
from triscribe.gateway.realtime.transcripts import ItemText, Piece
from triscribe.live.events import FinalResult, InterimResult
from triscribe.tags import bcp47

_TRANSCRIPTION = "conversation.item.input_audio_transcription"


@dataclass
class Conversation:
    """The items of a session, in the order in which they were committed."""

    outlet: Outlet
    last_id: str | None = None


@dataclass
class Item:
    """One item; its times are seconds of all audio of the session.

    Attributes:
        conversation: has the item before.
        logprobs: whether they are sent.
        offset_s: where the stream begins that its results are about.
        committed: whether it is in the conversation.
        dropped: the caller has cleared it, and hears no more of it.
    """

    conversation: Conversation
    logprobs: bool
    offset_s: float
    start_s: float = 0.0
    end_s: float = 0.0
    committed: bool = False
    dropped: bool = False
    id: str = field(default_factory=lambda: new_id("item"))
    _text: ItemText = field(default_factory=ItemText)
    _languages: dict[str, None] = field(default_factory=dict)
    _segments: int = 0

    async def send(self, kind: str, **fields: Any) -> None:
        """Send an event about it."""
        if not self.dropped:
            await self.conversation.outlet.send(kind, item_id=self.id, **fields)

    async def commit(self) -> None:
        """It becomes part of the conversation, the text still to come."""
        before, self.conversation.last_id, self.committed = self.conversation.last_id, self.id, True
        await self.send("input_audio_buffer.committed", previous_item_id=before)
        item = {
            "id": self.id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        for kind in ("conversation.item.added", "conversation.item.done"):
            await self.conversation.outlet.send(kind, item=item, previous_item_id=before)

    async def hear(self, result: FinalResult | InterimResult) -> None:
        """Send what a result adds."""
        if isinstance(result, InterimResult):
            await self._grow(self._text.look(result.segments))
            return
        await self._grow(self._text.settle(result.segments))
        for segment in result.segments:
            self._languages[bcp47(segment.language)] = None
            await self.send(
                f"{_TRANSCRIPTION}.segment",
                content_index=0,
                id=f"{self.id}_{self._segments}",
                text=segment.text.strip(),
                speaker=segment.speaker or "",
                start=round(self.offset_s + segment.start, 3),
                end=round(self.offset_s + segment.end, 3),
            )
            self._segments += 1

    async def _grow(self, pieces: list[Piece]) -> None:
        if pieces:
            delta = "".join(piece.text for piece in pieces)
            await self.send(f"{_TRANSCRIPTION}.delta", content_index=0, delta=delta, **self._logprobs(pieces))

    async def complete(self) -> None:
        """Send its whole text."""
        await self.send(
            f"{_TRANSCRIPTION}.completed",
            content_index=0,
            transcript="".join(piece.text for piece in self._text.pieces),
            languages=[{"code": code} for code in self._languages],
            usage={"type": "duration", "seconds": round(self.end_s - self.start_s, 3)},
            **self._logprobs(self._text.pieces),
        )

    async def fail(self, error: ServerError) -> None:
        """Say that there will be no text."""
        await self.send(f"{_TRANSCRIPTION}.failed", content_index=0, error=self.conversation.outlet.told(error))

    def _logprobs(self, pieces: list[Piece]) -> dict[str, Any]:
        return {"logprobs": [piece.logprob() for piece in pieces]} if self.logprobs else {}
