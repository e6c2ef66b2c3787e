"""What is known about the speakers of a recording, and what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from triscribe.errors import UsageError
from triscribe.types import Overlap, SpeakerTurn


@dataclass(frozen=True, slots=True)
class DiarizationOptions:
    """What is known about a recording.

    Attributes:
        num_speakers: exact number; not together with the other two.
        min_speakers: fewest.
        max_speakers: most; the result never has more.
        pipeline: "default" (needs no token), "community-1" or "3.1".
        embeddings: return one vector for each speaker.
    """

    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    pipeline: str = "default"
    embeddings: bool = False

    def __post_init__(self) -> None:
        bounds = (self.num_speakers, self.min_speakers, self.max_speakers)
        if any(bound is not None and bound < 1 for bound in bounds):
            raise UsageError("Numbers of speakers start at 1.")
        if self.num_speakers is not None and (self.min_speakers, self.max_speakers) != (None, None):
            raise UsageError("Give the exact number of speakers, or a minimum and a maximum, not both.")
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise UsageError("The minimum number of speakers is larger than the maximum.")


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who spoke when; everything by start time.

    Attributes:
        turns: may overlap.
        exclusive_turns: at most one speaker at a time.
        overlaps: stretches in which several people speak.
        speakers: labels in order of appearance: SPEAKER_00, SPEAKER_01, ...
        embeddings: label → vector, where asked for; speakers without a clean stretch are absent.
    """

    turns: tuple[SpeakerTurn, ...] = ()
    exclusive_turns: tuple[SpeakerTurn, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    speakers: tuple[str, ...] = ()
    embeddings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
