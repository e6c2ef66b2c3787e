"""The values that callers of the package get and give. Times are seconds as float unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triscribe.spacing import joined

SAMPLE_RATE = 16_000
"""Samples per second of all audio inside Triscribe (what Whisper was trained on)."""

MAX_CHUNK_S = 30.0
"""Longest chunk the server accepts: Whisper's encoder context."""

Samples = NDArray[np.float32]
"""Mono audio at 16 kHz, shape `(n_samples,)`, values in [-1, 1]."""

Task = Literal["transcribe", "translate"]
Timing = Literal["aligned", "attention", "interpolated"]


class Span(NamedTuple):
    """A stretch of a file in samples, half-open: `samples[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a file that is sent as one request; `samples` is at most 30 s.

    `sure` is None where all of it is speech. Else the chunk is a sound that may hold some, such as a song, and voice
    detection is sure of these stretches only, in samples of the chunk.
    """

    index: int
    start: float
    samples: Samples
    sure: tuple[Span, ...] | None = None

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def end(self) -> float:
        """Where the chunk ends in the file, in seconds."""
        return self.start + self.duration

    def part(self, span: Span) -> Chunk:
        """A stretch of it, all of it speech; `span` in samples of this chunk."""
        return Chunk(self.index, self.start + span.start / SAMPLE_RATE, self.samples[span.start : span.end])


@dataclass(frozen=True, slots=True)
class Word:
    """One written word. `timing` says how the times were made."""

    word: str
    start: float
    end: float
    probability: float
    timing: Timing
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence or the stretch between two pauses.

    `language_probability` is 1 where the language was given. `channel` counts from 1; None where all were mixed.
    """

    start: float
    end: float
    text: str
    language: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    language_probability: float = 1.0
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller should know about a stretch of the result (the `warnings` of the JSON)."""

    code: str
    message: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """One speaker talking without a break."""

    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """A stretch in which several people speak at once."""

    start: float
    end: float
    speakers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What the server answered for one chunk; times count from the start of the chunk.

    `languages` holds the probability of each language, where it was asked for.
    """

    index: int
    model: str
    language: str
    language_probability: float
    segments: tuple[Segment, ...]
    notices: tuple[Notice, ...] = ()
    languages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """An audio track of a media file, by its number from 1, of `count`.

    `language` is the BCP-47 tag that the file gives; None where it gives none, as for the title.
    """

    index: int
    count: int
    language: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Where the audio came from (`path` is "-" for standard input) and how long it is in seconds.

    `track` is the one that was transcribed; None for audio without a container. `mix` says how several channels became
    one: `mean`, `centre` (that channel alone), `inverted` (some had their sign turned) or `weighted` (some counted
    little); None where there was nothing to mix.
    """

    path: str
    duration: float
    track: AudioTrack | None = None
    mix: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """The result for one file; times count from the start of the file.

    `embeddings` holds a vector for each speaker, where they were asked for.
    """

    audio: AudioInfo
    language: str | None
    language_probability: float
    model: str
    task: Task
    segments: tuple[Segment, ...]
    speakers: tuple[str, ...] = ()
    turns: tuple[SpeakerTurn, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    embeddings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = field(default=())

    @property
    def text(self) -> str:
        """The whole text, segments joined by a space (none where the language writes none)."""
        return joined((segment.text, segment.language) for segment in self.segments)
