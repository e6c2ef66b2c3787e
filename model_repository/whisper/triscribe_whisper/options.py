"""What one call asks for. `transcribe` fills every field, so nothing here chooses a policy."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .checkpoint import MAX_LENGTH
from .errors import WhisperError

MAX_PROMPT = 223
"""Room for earlier text: half of the 448 tokens of Whisper's decoder, less the marker (openai/whisper decoding.py)."""


class WhisperOptions(BaseModel):
    """Decoding options of one chunk; see CTranslate2's `Whisper.generate` for the search parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: tuple[int, ...] = Field(default=(), max_length=MAX_PROMPT)
    """Tokens of earlier text, hotwords included."""
    language: str | None = None
    """Language code; None detects it from the same encoder pass."""
    task: Literal["transcribe", "translate"] = "transcribe"
    detect_only: bool = False
    detect_beside: bool = False
    """Also give the probability of every language where one is given."""
    doubt_below: float = Field(default=0.0, ge=0, le=1)
    """With `detect_beside`: no text where the given language is less probable than this."""
    attention: bool = False
    """Also time every token by cross-attention."""
    text_tokens: tuple[int, ...] | None = Field(default=None, max_length=224)
    """Time these tokens instead of decoding; for a text that is known already."""
    max_tokens: int = Field(default=MAX_LENGTH // 2, ge=1, le=MAX_LENGTH // 2)
    """Longest text; what CTranslate2 writes at most is half of the decoder's context."""
    content_frames: int = Field(default=0, ge=0)
    """Frames that hold audio (100 a second); the rest is padding. 0: all of them."""
    beam_size: int = Field(default=5, ge=1, le=16)
    patience: float = Field(default=1.0, gt=0, le=4)
    temperature: float = Field(default=0.0, ge=0, le=2)
    """How far from the most likely text to search; see `variation`."""
    length_penalty: float = Field(default=1.0, ge=-4, le=4)
    repetition_penalty: float = Field(default=1.0, gt=0, le=4)
    no_repeat_ngram_size: int = Field(default=0, ge=0, le=32)
    suppress_tokens: tuple[int, ...] = (-1,)
    """Token ids never to be written; -1 stands for the checkpoint's non-speech symbols."""

    @classmethod
    def parse(cls, text: bytes) -> WhisperOptions:
        """Read the OPTIONS tensor.

        Raises:
            WhisperError: INVALID_ARGUMENT naming the field.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(["OPTIONS", *map(str, first["loc"])])
            raise WhisperError("INVALID_ARGUMENT", f"{name}: {first['msg']}", name) from error
