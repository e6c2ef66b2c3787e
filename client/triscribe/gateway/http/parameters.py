"""The fields of the forms: what each takes, and the request of `service` that they make."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from triscribe.errors import InvalidArgumentError, UsageError
from triscribe.gateway.http.forms import Form
from triscribe.service.requests import RecognitionRequest

Speakers = Annotated[int, Field(ge=1, le=100)]
_TEXTS = 1000
_Milliseconds = Annotated[int, Field(ge=0, le=60_000)]


class ServerVad(BaseModel):
    """How speech is found; what is absent is left to the server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["server_vad"]
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """A window at least this probable starts speech."""
    prefix_padding_ms: _Milliseconds | None = None
    """Added before speech, and after it."""
    silence_duration_ms: _Milliseconds | None = None
    """A pause at least this long parts two stretches of speech."""


Chunking = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[ServerVad, Tag("server_vad")],
    Discriminator(lambda value: "auto" if isinstance(value, str) else "server_vad"),  # so that refusals speak of one
]


class AudioForm(BaseModel):
    """What both forms have; beside OpenAI's fields, those that are described as ours."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = Field(default="", description="A served model, or another name for one; absent: the first.")
    language: str = Field(default="", description="Of the speech: a code, a tag or a name; absent: detected.")
    prompt: str = Field(default="", description="Text that the recording could be a continuation of.")
    keywords: tuple[str, ...] = Field(default=(), max_length=_TEXTS, description="Terms to expect.")
    temperature: float = Field(default=0.0, ge=0, le=1, description="0: from 0 upwards as the text demands.")
    chunking_strategy: Chunking = Field(default="auto", description="How speech is found.")
    hotwords: str = Field(default="", description="Ours: more keywords, separated by commas.")
    vad_filter: bool = Field(default=True, description="Ours: false transcribes every second.")
    beam_size: int | None = Field(default=None, ge=1, le=10, description="Ours: width of the search.")

    @field_validator("chunking_strategy", mode="before")
    @classmethod
    def _object(cls, value: object) -> object:
        if not isinstance(value, str) or not value.lstrip().startswith("{"):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("it is neither 'auto' nor a JSON object") from None

    @model_validator(mode="after")
    def _agree(self) -> AudioForm:
        if not self.vad_filter and self.chunking_strategy != "auto":
            raise UsageError("chunking_strategy says how voices are found, and vad_filter that they are not")
        return self

    def request(self, model: str) -> RecognitionRequest:
        """The request that it makes, of the model that its name stands for."""
        vad = self.chunking_strategy if isinstance(self.chunking_strategy, ServerVad) else None
        decoding: dict[str, Any] = {}
        if self.temperature:
            decoding["temperature"] = [self.temperature]
        if self.beam_size is not None:
            decoding["beam_size"] = self.beam_size
        hotwords = (word.strip() for word in self.hotwords.split(","))
        return RecognitionRequest(
            model=model,
            language=self.language,
            initial_prompt=self.prompt,
            hotwords=(*self.keywords, *filter(None, hotwords)),
            voice_detection=self.vad_filter,
            voice=_voice(vad) if vad else {},
            decoding=decoding,
        )


class TranslationForm(AudioForm):
    """The form of `/v1/audio/translations`."""

    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"

    def request(self, model: str) -> RecognitionRequest:
        """The request that it makes."""
        return replace(super().request(model), task="translate")


def _voice(vad: ServerVad) -> dict[str, float]:
    lengths = {"pad_s": vad.prefix_padding_ms, "min_silence_s": vad.silence_duration_ms}
    voice = {name: length_ms / 1000 for name, length_ms in lengths.items() if length_ms is not None}
    return voice if vad.threshold is None else {**voice, "threshold": vad.threshold}


F = TypeVar("F", bound=AudioForm)

_NESTED = re.compile(r"(\w+)\[(\w+)\]")


def parsed(kind: type[F], form: Form) -> F:
    """The fields of a form, each checked.

    Raises:
        InvalidArgumentError: a field is unknown, is given twice or has a wrong value; there is no file.
    """
    if not form.has_file:
        raise InvalidArgumentError("the form has no file", field="audio")
    try:
        return kind.model_validate(_gathered(kind, form))
    except UsageError as error:
        raise InvalidArgumentError(str(error), field="chunking_strategy") from error
    except ValidationError as error:
        raise _refusal(error) from error


def _refusal(error: ValidationError) -> InvalidArgumentError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else None
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return InvalidArgumentError(f"there is no field {name!r} here", field=name)
    path = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    return InvalidArgumentError(f"{path}: {first['msg']}" if path else first["msg"], field=name)


def _gathered(kind: type[BaseModel], form: Form) -> dict[str, Any]:
    """Arrays as lists, `name[key]` as objects, anything else as one text."""
    gathered: dict[str, Any] = {}
    for name, values in form.fields.items():
        nested = _NESTED.fullmatch(name)
        if nested and nested[1] == "chunking_strategy":
            gathered.setdefault(nested[1], {})
            if not isinstance(gathered[nested[1]], dict):
                raise InvalidArgumentError(f"{nested[1]} is given twice", field=nested[1])
            gathered[nested[1]][nested[2]] = _one(name, values)
        elif name in kind.model_fields and get_origin(kind.model_fields[name].annotation) is tuple:
            gathered[name] = values
        elif name in gathered:
            raise InvalidArgumentError(f"{name} is given twice", field=name)
        else:
            gathered[name] = _one(name, values)
    return gathered


def _one(name: str, values: list[str]) -> str:
    if len(values) > 1:
        raise InvalidArgumentError(f"{name} is given {len(values)} times", field=name)
    return values[0]
