"""What is known of an utterance of a live stream while it lasts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from triscribe.types import SAMPLE_RATE

LONGEST_S = 28.0
"""Most audio in one request, of the 30 s that it may hold."""


class Pause(NamedTuple):
    """Where the speech before a pause ends, and where the audio of its text ends, whenever that is made."""

    voiced: int
    until: int


@dataclass
class Utterance:
    """One utterance; places in samples. `turn` is set when it ends, and while a final ahead may be asked for."""

    start: int
    end: int | None = None
    voiced: int = 0
    """Where the speech so far ends."""
    last_pause: Pause | None = None
    complete_at: int | None = None
    """Where its text is a whole sentence."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def until(self) -> int | None:
        """Where the audio of its last final ends."""
        return self.end if self.pause is None else self.pause

    @property
    def pause(self) -> int | None:
        """Where the audio of a text of what was said so far ends; None while somebody speaks."""
        last = self.last_pause
        return last.until if last and last.voiced == self.voiced else None

    def fits(self, start: int) -> bool:
        """Whether it has ended, and what is left of it from `start` on fits into one request."""
        return self.end is not None and self.end - start <= LONGEST_S * SAMPLE_RATE
