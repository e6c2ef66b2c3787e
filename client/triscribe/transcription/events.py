"""What becomes known while a recording is worked on, in this order; progress comes in between."""

from __future__ import annotations

from dataclasses import dataclass

from triscribe.types import Segment, Transcript


@dataclass(frozen=True, slots=True)
class AudioDecoded:
    """The length of the recording is known, in seconds."""

    length_s: float


@dataclass(frozen=True, slots=True)
class TextProgress:
    """So many seconds of `total_s` are text; never falls."""

    done_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class SpeakersProgress:
    """The diarizer has done so much of its work, 0 to 1; never falls."""

    share: float


@dataclass(frozen=True, slots=True)
class FinalSegments:
    """Segments that will not change, in the order and the seconds of the recording."""

    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The whole result; nothing comes after it."""

    transcript: Transcript


Event = AudioDecoded | TextProgress | SpeakersProgress | FinalSegments | Done
