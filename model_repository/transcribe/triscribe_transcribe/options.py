"""What a caller may ask of one chunk, with every default of the pipeline."""

from __future__ import annotations

from typing import Annotated, Literal

from faster_whisper.tokenizer import _LANGUAGE_CODES
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .errors import PipelineError

MAX_OPTIONS_BYTES = 64 * 1024

Temperature = Annotated[float, Field(ge=0, le=2)]


class Options(BaseModel):
    """The OPTIONS tensor. Unknown fields are refused: a misspelt option must not be ignored in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str | None = None
    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    initial_prompt: str | None = None
    hotwords: str | None = None
    """Terms separated by commas."""
    word_timestamps: bool = True
    detect_only: bool = False
    detect_beside: bool = False
    """Also give the probability of every language, whichever the text is in."""
    doubt_below: float = Field(default=0.0, ge=0, le=1)
    """With `detect_beside` and a language: no text where it is less probable than this in the chunk itself."""
    priority: Literal["interactive", "bulk"] = "interactive"
    max_wait_s: float | None = Field(default=None, gt=0)
    """Seconds that each turn may wait in the queue before DEADLINE_EXCEEDED; null takes the server's limit."""

    retry_within_s: float | None = Field(default=None, ge=0)
    """Seconds since the request within which doubtful text may be asked for again, for callers who wait; null: always.
    The text of a chunk is then no longer than anybody can speak, which ends loops soon."""

    beam_size: int = Field(default=5, ge=1, le=16)
    patience: float = Field(default=1.0, gt=0, le=4)
    """The search ends when `beam_size` times so many hypotheses have. Less loses what is really said again and again
    (docs/benchmarks.md)."""
    temperature: tuple[Temperature, ...] = Field(default=(0.0, 0.4, 0.8), min_length=1, max_length=8)
    """Tried in turn until a result passes the gates; above zero, noise that the chunk itself seeds varies the text."""
    length_penalty: float = Field(default=1.0, ge=-4, le=4)
    repetition_penalty: float = Field(default=1.0, gt=0, le=4)
    no_repeat_ngram_size: int = Field(default=0, ge=0, le=32)
    suppress_tokens: tuple[int, ...] = Field(default=(-1,), max_length=1024)

    # The gates of openai/whisper transcribe.py.
    compression_ratio_threshold: float = Field(default=2.4, gt=0)
    log_prob_threshold: float = -1.0
    no_speech_threshold: float = Field(default=0.6, ge=0, le=1)

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str | None) -> str | None:
        if value is not None and value not in _LANGUAGE_CODES:
            raise ValueError(f"{value!r} is not a language code of Whisper")
        return value

    @field_validator("temperature", "suppress_tokens", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, int | float) else value

    @classmethod
    def parse(cls, text: bytes | None) -> Options:
        """Read the OPTIONS tensor; absent or empty means all defaults.

        Raises:
            PipelineError: INVALID_ARGUMENT naming the field.
        """
        if not text:
            return cls()
        if len(text) > MAX_OPTIONS_BYTES:
            raise PipelineError("INVALID_ARGUMENT", f"OPTIONS is over {MAX_OPTIONS_BYTES} bytes", "OPTIONS")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(["OPTIONS", *map(str, first["loc"])])
            raise PipelineError("INVALID_ARGUMENT", f"{name}: {first['msg']}", name) from error
