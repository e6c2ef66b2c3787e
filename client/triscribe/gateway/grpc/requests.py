"""RecognitionConfig to the options of the pipeline; every refusal names the field."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from triscribe.diarization.client import DiarizationOptions
from triscribe.errors import FailedPreconditionError, InvalidArgumentError, UsageError
from triscribe.language import languages
from triscribe.language.chinese import Script
from triscribe.media.pcm import Encoding, PcmFormat
from triscribe.service.catalogue import Catalogue
from triscribe.speech.vad import VadOptions
from triscribe.transcription.transcriber import TranscribeOptions
from triscribe.types import SAMPLE_RATE, Task
from triscribe.v1 import speech_pb2 as pb

T = TypeVar("T")

MIN_RATE, MAX_RATE = 8_000, 192_000
MAX_CHANNELS = 8
MIN_END_S, MAX_END_S, DEFAULT_END_S = 0.2, 5.0, 0.6

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
_DECODING = (
    "beam_size",
    "length_penalty",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "compression_ratio_threshold",
    "log_prob_threshold",
    "no_speech_threshold",
)


@dataclass(frozen=True)
class Recognition:
    """One call's config, checked.

    Attributes:
        model: name of the model that will be used.
        pcm: how headerless audio is encoded; None for a file with a header.
        diarization: None where speakers are not wanted.
    """

    model: str
    options: TranscribeOptions
    pcm: PcmFormat | None
    diarization: DiarizationOptions | None


@dataclass(frozen=True)
class LiveRecognition:
    """The config of a live call, checked; `end_s` is the silence that ends an utterance."""

    recognition: Recognition
    pcm: PcmFormat
    interims: bool
    events: bool
    end_s: float


def read_config(config: pb.RecognitionConfig, catalogue: Catalogue, *, diarizer: bool) -> Recognition:
    """Check a config against what is served.

    Raises:
        InvalidArgumentError: a value makes no sense; `field` names it.
        NotFoundError: no such model.
        FailedPreconditionError: the model, or this gateway, lacks the feature.
    """
    multi = config.language_code == languages.MULTI
    language = None if multi else _language(config.language_code)
    allowed = _allowed(config.language_codes, language)
    if config.task not in _TASKS:
        raise InvalidArgumentError(f"there is no task {config.task}", field="config.task")
    task = _TASKS[config.task]
    model = catalogue.choose(config.model, language=language, task=task)
    for code in allowed:
        catalogue.choose(config.model, language=code, task=task)
    features = config.features
    split = _choice(config.features.multi_channel_mode, _CHANNELS, "config.features.multi_channel_mode")
    if split == "split" and features.HasField("diarization"):
        raise InvalidArgumentError(
            "each channel is a speaker already: split channels or find speakers, not both",
            field="config.features.multi_channel_mode",
        )
    voice_detection = not features.HasField("enable_voice_detection") or features.enable_voice_detection
    word_times = not features.HasField("enable_word_time_offsets") or features.enable_word_time_offsets
    options = TranscribeOptions(
        model=model.name,
        language=languages.MULTI if multi else language,
        languages=allowed,
        script=_choice(config.chinese_script, _SCRIPTS, "config.chinese_script"),
        channels=split,
        task=task,
        initial_prompt=config.initial_prompt or None,
        hotwords=", ".join(config.hotwords) or None,
        word_timestamps=word_times,
        voice_detection=VadOptions() if voice_detection else None,
        decoding=_decoding(config.decoding_options),
    )
    pcm = None
    if config.WhichOneof("decoding_config") == "explicit_decoding_config":
        pcm = _pcm(config.explicit_decoding_config)
    return Recognition(model.name, options, pcm, _diarization(features, diarizer=diarizer))


def read_live_config(streaming: pb.StreamingRecognitionConfig, catalogue: Catalogue) -> LiveRecognition:
    """The same for live audio.

    Raises:
        ServerError: as `read_config`.
    """
    recognition = read_config(streaming.config, catalogue, diarizer=True)
    if recognition.pcm is None:
        raise InvalidArgumentError(
            "live audio needs explicit_decoding_config", field="streaming_config.config.explicit_decoding_config"
        )
    if recognition.diarization is not None:
        raise InvalidArgumentError(
            "speakers cannot be named in live audio; use UploadRecognize",
            field="streaming_config.config.features.diarization",
        )
    if recognition.options.language == languages.MULTI or recognition.options.languages:
        raise InvalidArgumentError(
            "live audio has one language, given or detected among all", field="streaming_config.config.language_code"
        )
    if recognition.options.channels == "split":
        raise InvalidArgumentError(
            "the channels of live audio are mixed", field="streaming_config.config.features.multi_channel_mode"
        )
    if recognition.options.voice_detection is None:
        raise InvalidArgumentError(
            "live audio always detects voices", field="streaming_config.config.features.enable_voice_detection"
        )
    features = streaming.streaming_features
    end_s = DEFAULT_END_S
    if features.HasField("speech_end_timeout"):
        end_s = features.speech_end_timeout.seconds + features.speech_end_timeout.nanos / 1e9
    if not MIN_END_S <= end_s <= MAX_END_S:
        raise InvalidArgumentError(
            f"speech_end_timeout must be {MIN_END_S:g} to {MAX_END_S:g} s, not {end_s:g}",
            field="streaming_config.streaming_features.speech_end_timeout",
        )
    return LiveRecognition(
        recognition, recognition.pcm, features.interim_results, features.enable_voice_activity_events, end_s
    )


def _language(code: str) -> str | None:
    try:
        return languages.resolve(code or languages.AUTO)
    except UsageError as error:
        raise InvalidArgumentError(str(error), field="config.language_code") from error


def _allowed(codes: Iterable[str], language: str | None) -> tuple[str, ...]:
    place = "config.language_codes"
    try:
        allowed = languages.resolve_all(",".join(codes))
    except UsageError as error:
        raise InvalidArgumentError(str(error), field=place) from error
    if allowed and language:
        raise InvalidArgumentError(f"the language is {language!r}, so there are none to choose from", field=place)
    return allowed


def _choice(value: int, known: Mapping[int, T], field: str) -> T:
    if value not in known:
        raise InvalidArgumentError(f"there is no value {value}", field=field)
    return known[value]


def _pcm(explicit: pb.ExplicitDecodingConfig) -> PcmFormat:
    place = "config.explicit_decoding_config"
    if explicit.encoding not in _ENCODINGS:
        raise InvalidArgumentError("the encoding is missing or unknown", field=f"{place}.encoding")
    rate, channels = explicit.sample_rate_hertz or SAMPLE_RATE, explicit.audio_channel_count or 1
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidArgumentError(f"{rate} Hz is not {MIN_RATE} to {MAX_RATE}", field=f"{place}.sample_rate_hertz")
    if not 1 <= channels <= MAX_CHANNELS:
        raise InvalidArgumentError(
            f"{channels} channels are not 1 to {MAX_CHANNELS}", field=f"{place}.audio_channel_count"
        )
    return PcmFormat(_ENCODINGS[explicit.encoding], rate, channels)


def _diarization(features: pb.RecognitionFeatures, *, diarizer: bool) -> DiarizationOptions | None:
    if not features.HasField("diarization"):
        return None
    place, wanted = "config.features.diarization", features.diarization
    if not diarizer:
        raise FailedPreconditionError("this gateway has no diarizer", field=place)
    counts: dict[str, Any] = {
        name: getattr(wanted, name) if wanted.HasField(name) else None
        for name in ("num_speakers", "min_speakers", "max_speakers")
    }
    try:
        return DiarizationOptions(**counts)
    except UsageError as error:
        raise InvalidArgumentError(str(error), field=place) from error


def _decoding(options: pb.DecodingOptions) -> dict[str, Any]:
    chosen: dict[str, Any] = {name: getattr(options, name) for name in _DECODING if options.HasField(name)}
    if options.temperatures:
        chosen["temperature"] = [round(value, 6) for value in options.temperatures]
    for name, value in chosen.items():
        values = value if isinstance(value, list) else [value]
        if not all(math.isfinite(number) for number in values):
            raise InvalidArgumentError(f"{name} is not a finite number", field=f"config.decoding_options.{name}")
    # A float of 32 bits is no longer what was typed; 0.4 and 0.4000000059604645 would not share a batch.
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in chosen.items()}
