"""The form of `/v1/audio/transcriptions`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from triscribe.errors import InvalidArgumentError
from triscribe.gateway.http.parameters import AudioForm, Speakers
from triscribe.language.chinese import Script
from triscribe.service.requests import RecognitionRequest

OpenAIFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
OurFormat = Literal["txt", "tsv", "ass", "rttm", "html", "triscribe_json"]

_STREAMED = ("json", "text", "diarized_json")
_OF_SPEAKERS = ("diarized_json", "rttm")


class TranscriptionForm(AudioForm):
    """The form of `/v1/audio/transcriptions`; beside OpenAI's fields, those that are described as ours."""

    response_format: OpenAIFormat | OurFormat = "json"
    languages: tuple[str, ...] = Field(default=(), max_length=100, description="What detection chooses from.")
    timestamp_granularities: tuple[Literal["word", "segment"], ...] = Field(
        default=(), description="Of verbose_json only; absent: segments."
    )
    include: tuple[Literal["logprobs"], ...] = Field(default=(), description="Of json only.")
    stream: bool = Field(default=False, description="Server-sent events; of json, text and diarized_json only.")
    known_speaker_names: tuple[str, ...] = Field(default=(), max_length=4)
    known_speaker_references: tuple[str, ...] = Field(
        default=(), max_length=4, description="A data URL of 2 to 10 s of speech for each name."
    )
    diarize: bool | None = Field(default=None, description="Ours: name the speakers in any format.")
    num_speakers: Speakers | None = Field(default=None, description="Ours: exact number.")
    min_speakers: Speakers | None = Field(default=None, description="Ours: fewest.")
    max_speakers: Speakers | None = Field(default=None, description="Ours: most.")
    script: Script | None = Field(default=None, description="Ours: how Chinese is written.")

    @model_validator(mode="after")
    def _fits_the_format(self) -> TranscriptionForm:
        name = self.response_format
        if self.timestamp_granularities and name != "verbose_json":
            raise InvalidArgumentError(
                "timestamps are chosen for response_format verbose_json only", field="timestamp_granularities"
            )
        if self.include and name != "json":
            raise InvalidArgumentError("logprobs come with response_format json only", field="include")
        if self.stream and name not in _STREAMED:
            raise InvalidArgumentError(f"{name} cannot be streamed; {', '.join(_STREAMED)} can", field="stream")
        return self

    @model_validator(mode="after")
    def _agrees_on_speakers(self) -> TranscriptionForm:
        if self.diarize is False and (self.wants_speakers or self.response_format in _OF_SPEAKERS):
            raise InvalidArgumentError("other fields ask for speakers, and diarize says no", field="diarize")
        return self

    @property
    def wants_speakers(self) -> bool:
        """Whether a field that is about speakers was given, or the format is."""
        counts = (self.num_speakers, self.min_speakers, self.max_speakers)
        known = self.known_speaker_names or self.known_speaker_references
        named = any(count is not None for count in counts) or bool(known)
        return bool(self.diarize) or named or self.response_format in _OF_SPEAKERS

    def request(self, names: Mapping[str, str]) -> RecognitionRequest:
        """The request that it makes."""
        counts = {name: getattr(self, name) for name in ("num_speakers", "min_speakers", "max_speakers")}
        speakers = {name: count for name, count in counts.items() if count is not None}
        return replace(
            super().request(names),
            languages=self.languages,
            script=self.script,
            diarization=speakers if self.wants_speakers else None,
        )
