"""Answers and events in the shapes of OpenAI's API; its SDKs' types are what they are named after."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True)


class Usage(_Body):
    """What was worked on."""

    type: Literal["duration"] = "duration"
    seconds: float


class Logprob(_Body):
    """A word with the logarithm of its probability; the tokens of an answer make its text."""

    token: str
    bytes: tuple[int, ...]
    logprob: float


class Language(_Body):
    """A language that was heard."""

    code: str


class Transcription(_Body):
    """`response_format=json`."""

    text: str
    usage: Usage
    languages: tuple[Language, ...]
    logprobs: tuple[Logprob, ...] | None = None


class VerboseSegment(_Body):
    """A sentence, or the stretch between two pauses.

    `seek` is its start in hundredths of a second; `tokens` is empty: the engine keeps none.
    """

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class TimedWord(_Body):
    """A word as it is written."""

    word: str
    start: float
    end: float


class TranscriptionVerbose(_Body):
    """`response_format=verbose_json`; `language` is its English name."""

    task: Literal["transcribe", "translate"]
    language: str
    duration: float
    text: str
    segments: tuple[VerboseSegment, ...] | None = None
    words: tuple[TimedWord, ...] | None = None
    usage: Usage


class DiarizedSegment(_Body):
    """What one speaker says; in the body, and as an event of a stream."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    start: float
    end: float
    speaker: str
    text: str


class TranscriptionDiarized(_Body):
    """`response_format=diarized_json`."""

    task: Literal["transcribe"] = "transcribe"
    duration: float
    text: str
    segments: tuple[DiarizedSegment, ...]
    usage: Usage


class TextDelta(_Body):
    """Event of a stream: more text, which will not change."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str
    logprobs: tuple[Logprob, ...] | None = None
    segment_id: str | None = None


class TextDone(_Body):
    """Event of a stream: all of it."""

    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str
    usage: Usage
    languages: tuple[Language, ...]
    logprobs: tuple[Logprob, ...] | None = None


class Model(_Body):
    """A served checkpoint, or another name for one."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(_Body):
    """What is served."""

    object: Literal["list"] = "list"
    data: tuple[Model, ...]


class Error(_Body):
    """Why a request failed."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(_Body):
    """The body of every refusal."""

    error: Error
