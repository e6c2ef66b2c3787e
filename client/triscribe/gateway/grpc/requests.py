"""Requests of the proto as the requests of `service`. Only what a proto alone can get wrong is refused here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from triscribe.errors import InvalidArgumentError
from triscribe.gateway.grpc.fields import DECODING
from triscribe.language.chinese import Script
from triscribe.media.declared import Encoding
from triscribe.service.requests import LiveRequest, RecognitionRequest, pcm_format
from triscribe.types import Task
from triscribe.v1 import speech_pb2 as pb

T = TypeVar("T")

_TASKS: dict[int, Task] = {
    pb.TASK_UNSPECIFIED: "transcribe",
    pb.TASK_TRANSCRIBE: "transcribe",
    pb.TASK_TRANSLATE: "translate",
}
_SCRIPTS: dict[int, Script | None] = {
    pb.CHINESE_SCRIPT_UNSPECIFIED: None,
    pb.CHINESE_SCRIPT_SIMPLIFIED: "simplified",
    pb.CHINESE_SCRIPT_TRADITIONAL: "traditional",
}
_CHANNELS: dict[int, Literal["mix", "split"]] = {
    pb.MULTI_CHANNEL_MODE_UNSPECIFIED: "mix",
    pb.MULTI_CHANNEL_MODE_MIXED: "mix",
    pb.MULTI_CHANNEL_MODE_SPLIT: "split",
}
_ENCODINGS: dict[int, Encoding] = {
    pb.AUDIO_ENCODING_LINEAR16: "linear16",
    pb.AUDIO_ENCODING_FLOAT32: "float32",
    pb.AUDIO_ENCODING_MULAW: "mulaw",
    pb.AUDIO_ENCODING_ALAW: "alaw",
}


def recognition_request(config: pb.RecognitionConfig) -> RecognitionRequest:
    """The request that a config makes.

    Raises:
        InvalidArgumentError: an enum has a value that the proto does not know, or headerless audio is ill described.
    """
    features = config.features
    pcm = None
    if config.WhichOneof("decoding_config") == "explicit_decoding_config":
        explicit = config.explicit_decoding_config
        encoding = _ENCODINGS.get(explicit.encoding)
        pcm = pcm_format(encoding, explicit.sample_rate_hertz, explicit.audio_channel_count)
    return RecognitionRequest(
        model=config.model,
        language=config.language_code,
        languages=tuple(config.language_codes),
        task=_choice(config.task, _TASKS, "task"),
        script=_choice(config.chinese_script, _SCRIPTS, "script"),
        channels=_choice(features.multi_channel_mode, _CHANNELS, "channels"),
        audio_track=config.audio_track,
        initial_prompt=config.initial_prompt,
        hotwords=tuple(config.hotwords),
        word_timestamps=not features.HasField("enable_word_time_offsets") or features.enable_word_time_offsets,
        voice_detection=not features.HasField("enable_voice_detection") or features.enable_voice_detection,
        pcm=pcm,
        diarization=_speakers(features),
        decoding=_decoding(config.decoding_options),
    )


def live_request(streaming: pb.StreamingRecognitionConfig) -> LiveRequest:
    """The same for live audio."""
    features = streaming.streaming_features
    end_s = None
    if features.HasField("speech_end_timeout"):
        end_s = features.speech_end_timeout.seconds + features.speech_end_timeout.nanos / 1e9
    return LiveRequest(
        recognition_request(streaming.config), features.interim_results, features.enable_voice_activity_events, end_s
    )


def _choice(value: int, known: Mapping[int, T], field: str) -> T:
    if value not in known:
        raise InvalidArgumentError(f"there is no {field} {value}", field=field)
    return known[value]


def _speakers(features: pb.RecognitionFeatures) -> Mapping[str, int] | None:
    if not features.HasField("diarization"):
        return None
    wanted = features.diarization
    names = ("num_speakers", "min_speakers", "max_speakers")
    return {name: getattr(wanted, name) for name in names if wanted.HasField(name)}


def _decoding(options: pb.DecodingOptions) -> dict[str, Any]:
    chosen: dict[str, Any] = {name: getattr(options, name) for name in DECODING if options.HasField(name)}
    if options.temperatures:
        chosen["temperature"] = list(options.temperatures)
    return chosen
