"""What a client of OpenAI's Realtime API may send, for a session that transcribes. Nothing in it is ignored."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import from_json

from triscribe.errors import InvalidArgumentError, TooLargeError
from triscribe.live.events import DEFAULT_PREFIX_S
from triscribe.media.declared import Encoding, PcmFormat
from triscribe.service.requests import DEFAULT_END_S
from triscribe.speech.vad import DEFAULT_OPTIONS

MAX_APPEND_BYTES = 15 * 2**20
"""Of the text of one `input_audio_buffer.append`, as at OpenAI."""

LOGPROBS = "item.input_audio_transcription.logprobs"

Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]
"""Of a length of which the service knows the bounds."""

Delay = Literal["minimal", "low", "medium", "high", "xhigh"]

_ENCODINGS: dict[str, tuple[Encoding, int]] = {"audio/pcmu": ("mulaw", 8000), "audio/pcma": ("alaw", 8000)}


M = TypeVar("M", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AudioFormat(_Strict):
    """How the audio is encoded; PCM has 16 bits."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
    rate: Literal[16000, 24000] | None = None

    @model_validator(mode="before")
    @classmethod
    def _usual_rate(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("type") == "audio/pcm" and values.get("rate") is None:
            return values | {"rate": 24000}
        return values

    @model_validator(mode="after")
    def _one_rate(self) -> AudioFormat:
        if self.type != "audio/pcm" and self.rate is not None:
            raise ValueError(f"{self.type} is 8000 Hz always: leave the rate out")
        return self

    def pcm(self) -> PcmFormat:
        """The same as the service says it."""
        return PcmFormat(*_ENCODINGS.get(self.type, ("linear16", self.rate or 24000)))


class Transcription(_Strict):
    """What is written; see docs/realtime.md."""

    model: str = Field(min_length=1)
    language: str | None = None
    languages: list[str] | None = None
    prompt: str | None = None
    keywords: list[str] | None = None
    delay: Delay | None = None


class ServerVad(_Strict):
    """Voice detection makes the turns. There are no responses, so that none can be asked for."""

    type: Literal["server_vad"]
    threshold: float = DEFAULT_OPTIONS.threshold
    prefix_padding_ms: Milliseconds = round(DEFAULT_PREFIX_S * 1000)
    silence_duration_ms: Milliseconds = round(DEFAULT_END_S * 1000)
    idle_timeout_ms: Milliseconds | None = None
    create_response: Literal[False] | None = None
    interrupt_response: Literal[False] | None = None


class AudioInput(_Strict):
    """The audio that comes in; noise reduction is not offered, and turns are the caller's where they are None."""

    format: AudioFormat = AudioFormat(type="audio/pcm")
    noise_reduction: None = None
    transcription: Transcription
    turn_detection: ServerVad | None = ServerVad(type="server_vad")

    @field_validator("noise_reduction", mode="before")
    @classmethod
    def _not_offered(cls, value: object) -> None:
        if value is not None:
            raise ValueError("noise reduction is not offered: audio is transcribed as it is")


class Audio(_Strict):
    """There is no output."""

    input: AudioInput


class SessionConfig(_Strict):
    """A session as it is; `session.update` changes what it names."""

    type: Literal["transcription"] = "transcription"
    audio: Audio
    include: list[Literal["item.input_audio_transcription.logprobs"]] | None = None

    @classmethod
    def of_model(cls, name: str) -> SessionConfig:
        """The usual session with a model."""
        return cls(audio=Audio(input=AudioInput(transcription=Transcription(model=name))))

    @property
    def input(self) -> AudioInput:
        """All but `include`."""
        return self.audio.input

    def updated(self, changes: Mapping[str, Any]) -> SessionConfig:
        """The session after an update, which leaves alone what it does not name.

        Raises:
            InvalidArgumentError: a field is unknown, or its value is not taken.
        """
        return _checked(SessionConfig, _merged(self.model_dump(), changes), "session")

    def shown(self, session_id: str) -> dict[str, Any]:
        """As the server tells it."""
        shown = self.model_dump()
        shown["audio"]["input"]["format"] = self.input.format.model_dump(exclude_none=True)
        return {"id": session_id, "object": "realtime.transcription_session"} | shown


class SessionUpdate(_Strict):
    """Change the session."""

    type: Literal["session.update"]
    event_id: str | None = None
    session: dict[str, Any]


class Append(_Strict):
    """More audio."""

    type: Literal["input_audio_buffer.append"]
    event_id: str | None = None
    audio: str

    def decoded(self, pcm: PcmFormat) -> bytes:
        """The audio.

        Raises:
            InvalidArgumentError: it is not base64, or ends inside a sample.
            TooLargeError: it is more than one event may hold.
        """
        if len(self.audio) > MAX_APPEND_BYTES:
            raise TooLargeError(f"one event holds at most {MAX_APPEND_BYTES} bytes of audio", field="audio")
        try:
            data = base64.b64decode(self.audio, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidArgumentError("the audio is not base64", field="audio") from error
        if len(data) % pcm.frame_bytes:
            raise InvalidArgumentError(
                f"{len(data)} bytes are no whole number of samples of {pcm.frame_bytes} bytes", field="audio"
            )
        return data


class Commit(_Strict):
    """The buffer is a turn."""

    type: Literal["input_audio_buffer.commit"]
    event_id: str | None = None


class Clear(_Strict):
    """Forget the buffer."""

    type: Literal["input_audio_buffer.clear"]
    event_id: str | None = None


ClientEvent = SessionUpdate | Append | Commit | Clear

_EVENTS: dict[str, type[ClientEvent]] = {
    "session.update": SessionUpdate,
    "input_audio_buffer.append": Append,
    "input_audio_buffer.commit": Commit,
    "input_audio_buffer.clear": Clear,
}

_MOST_OF_AN_ID = 512


def parsed(text: str) -> dict[str, Any]:
    """The JSON object of a message.

    Raises:
        InvalidArgumentError: it is none.
    """
    try:
        message = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidArgumentError("the message is not JSON") from error
    if not isinstance(message, dict):
        raise InvalidArgumentError("the message is no JSON object")
    return message


def event_id(message: Mapping[str, Any]) -> str | None:
    """The caller's own name of a message, where it gave one."""
    given = message.get("event_id")
    return given[:_MOST_OF_AN_ID] if isinstance(given, str) else None


def client_event(message: Mapping[str, Any]) -> ClientEvent:
    """What a message asks for.

    Raises:
        InvalidArgumentError: a transcription session has no such event, or not such fields.
    """
    kind = message.get("type")
    model = _EVENTS.get(kind) if isinstance(kind, str) else None
    if model is None:
        known = ", ".join(_EVENTS)
        raise InvalidArgumentError(f"a transcription session has no such event, but {known}", field="type")
    return _checked(model, message, "")


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Objects are merged, other values replaced; a format is one value."""
    merged: dict[str, Any] = {**base, **changes}
    for name in base.keys() & changes.keys() - {"format"}:
        if isinstance(base[name], dict) and isinstance(changes[name], dict):
            merged[name] = _merged(base[name], changes[name])
    return merged


def _checked(model: type[M], values: Mapping[str, Any], path: str) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(filter(None, (path, *map(str, first["loc"]))))
        raise InvalidArgumentError(f"{field or 'the event'}: {first['msg']}", field=field or None) from error
