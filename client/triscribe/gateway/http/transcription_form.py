"""The form of `/v1/audio/transcriptions`."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from triscribe.errors import InvalidArgumentError
from triscribe.gateway.http.parameters import AudioForm, Speakers
from triscribe.language.chinese import Script
from triscribe.service.requests import RecognitionRequest

OpenAIFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
OurFormat = Literal["txt", "tsv", "ass", "rttm", "html", "triscribe_json"]

_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)

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

    def _known_speakers(self) -> dict[str, bytes]:
        names, references = self.known_speaker_names, self.known_speaker_references
        if len(set(names)) != len(references) or len(names) != len(references):
            raise InvalidArgumentError(
                f"{len(names)} names and {len(references)} references of speakers: each name needs one, and once",
                field="known_speaker_references",
            )
        return {name: _content(reference) for name, reference in zip(names, references, strict=True)}

    @property
    def wants_speakers(self) -> bool:
        """Whether a field that is about speakers was given, or the format is."""
        counts = (self.num_speakers, self.min_speakers, self.max_speakers)
        known = self.known_speaker_names or self.known_speaker_references
        named = any(count is not None for count in counts) or bool(known)
        return bool(self.diarize) or named or self.response_format in _OF_SPEAKERS

    def request(self, model: str) -> RecognitionRequest:
        """The request that it makes."""
        counts = {name: getattr(self, name) for name in ("num_speakers", "min_speakers", "max_speakers")}
        speakers = {name: count for name, count in counts.items() if count is not None}
        return replace(
            super().request(model),
            languages=self.languages,
            script=self.script,
            diarization=speakers if self.wants_speakers else None,
            known_speakers=self._known_speakers(),
        )


def _content(url: str) -> bytes:
    """What a data URL holds, whatever type it claims."""
    match = _DATA_URL.match(url)
    try:
        if match:
            return base64.b64decode(url[match.end() :], validate=True)
    except ValueError:
        pass
    raise InvalidArgumentError(
        "a reference of a speaker is a data URL, data:audio/wav;base64,...", field="known_speaker_references"
    )
