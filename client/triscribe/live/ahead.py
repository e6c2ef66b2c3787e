"""A final that is made before it is known that the speech has ended.

The silence that ends an utterance is longer than a decoding takes. So decoding begins as soon as the speaker pauses:
where the pause lasts, the final is there when it is wanted; where it does not, it was one more interim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sentence_ends import sentence_ends
from triscribe.types import ChunkResult, Segment

QUIET_S = 0.12
"""A pause of so long is worth a decoding: the closures of stops between two sounds are shorter."""

_CLOSING = "\"'”’»)]}」』"


@dataclass
class Ahead:
    """One such request. Places are samples of the stream.

    Attributes:
        start: where its audio begins.
        voiced: where the speech before the pause ends.
        request: gives the result of `recognize`; an error counts as no result.
        is_told: its text has been told as an interim.
    """

    start: int
    voiced: int
    request: asyncio.Task[ChunkResult]
    is_told: bool = False

    def is_of(self, start: int, voiced: int) -> bool:
        """Whether it holds the speech between these two places, and nothing else."""
        return (self.start, self.voiced) == (start, voiced)

    @classmethod
    def asked(
        cls, start: int, voiced: int, request: Coroutine[Any, Any, ChunkResult], wake: Callable[[], None]
    ) -> Ahead:
        """Begin one; `wake` is called when it is done."""
        task = asyncio.ensure_future(request)
        task.add_done_callback(lambda _: wake())
        return cls(start, voiced, task)

    @property
    def result(self) -> ChunkResult | None:
        """What it gave so far."""
        done = self.request.done() and not self.request.cancelled()
        return self.request.result() if done and self.request.exception() is None else None

    def cancel(self) -> None:
        """Give it up."""
        self.request.cancel()
        if self.request.done() and not self.request.cancelled():
            self.request.exception()  # seen: nobody needs it


def ends_sentence(segments: tuple[Segment, ...], language: str | None) -> bool:
    """Whether a text ends as a whole sentence does. "…" and "and then the" do not."""
    text = segments[-1].text.rstrip(_CLOSING + " ") if segments else ""
    if not text or text.endswith(("…", "...", ",", "-", "–", "—")):
        return False
    # A text that is gone on with a capital letter: only a stop makes the first part a sentence.
    return sentence_ends([text, " Xx"], language)[0]
