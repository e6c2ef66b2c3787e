"""What a caller asks for, in the words of no protocol, and the checks that every door makes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from triscribe.diarization.options import DiarizationOptions
from triscribe.errors import FailedPreconditionError, InvalidArgumentError, UsageError
from triscribe.language import languages
from triscribe.language.chinese import Script
from triscribe.live.events import DEFAULT_PREFIX_S, LiveOptions
from triscribe.media import tracks
from triscribe.media.declared import Encoding, PcmFormat
from triscribe.service.catalogue import Catalogue, ServedModel
from triscribe.spacing import clean
from triscribe.speech.vad import VadOptions
from triscribe.transcription.options import TranscribeOptions, language_notices
from triscribe.types import SAMPLE_RATE, Notice, Task

MIN_RATE, MAX_RATE = 8_000, 192_000
"""Hz of headerless audio."""
MAX_CHANNELS = 8
MAX_NAME = 64
"""Characters of a known speaker's name."""
_KNOWN = "known_speakers"
MIN_END_S, MAX_END_S, DEFAULT_END_S = 0.1, 5.0, 0.6
"""Silence that ends an utterance of live audio, in seconds."""
SENTENCE_END_S = 0.3
"""The same after a whole sentence, where the caller names none."""
MAX_PREFIX_S = 2.0
"""Most that is kept before the speech of live audio, in seconds."""
MIN_IDLE_S = 1.0


@dataclass(frozen=True)
class RecognitionRequest:
    """What a caller wants; empty and None leave a choice to the server.

    Attributes:
        model: name of a served checkpoint.
        language: code or name; "auto" detects it once, "multi" wherever it may change.
        languages: codes or names that detection chooses from.
        audio_track: number from 1 or language of the track of a file.
        hotwords: terms to expect.
        pcm: how headerless audio is encoded; None for a file with a header.
        diarization: "num_speakers", "min_speakers", "max_speakers", as far as they are known; None: no speakers.
        voice: fields of `VadOptions`, as far as they are not left to the server.
        known_speakers: a clip of 2 to 10 s, any media, for each name; only together with `diarization`.
        decoding: further options of docs/contracts.md.
    """

    model: str = ""
    language: str = ""
    languages: tuple[str, ...] = ()
    task: Task = "transcribe"
    script: Script | None = None
    channels: Literal["mix", "split"] = "mix"
    audio_track: str = ""
    initial_prompt: str = ""
    hotwords: tuple[str, ...] = ()
    word_timestamps: bool = True
    voice_detection: bool = True
    voice: Mapping[str, float] = field(default_factory=dict)
    pcm: PcmFormat | None = None
    diarization: Mapping[str, int] | None = None
    known_speakers: Mapping[str, bytes] = field(default_factory=dict)
    decoding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveRequest:
    """The same for live audio; the other fields are those of `LiveOptions`. `end_s`: None takes our own."""

    recognition: RecognitionRequest
    interims: bool = False
    events: bool = False
    end_s: float | None = None
    prefix_s: float = DEFAULT_PREFIX_S
    utterances: bool = False
    idle_s: float | None = None


@dataclass(frozen=True)
class Recognition:
    """A request that was checked.

    Attributes:
        model: name of the model that will be used.
        pcm: how headerless audio is encoded; None for a file with a header.
        diarization: None where speakers are not wanted.
        known_speakers: a clip, still encoded, for each name.
    """

    model: str
    options: TranscribeOptions
    pcm: PcmFormat | None
    diarization: DiarizationOptions | None
    known_speakers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveRecognition:
    """A request for live audio that was checked; its language is a code that the model knows, None detects it."""

    model: str
    notices: tuple[Notice, ...]
    options: TranscribeOptions
    pcm: PcmFormat
    listening: LiveOptions


def checked(request: RecognitionRequest, catalogue: Catalogue, *, diarizer: bool) -> Recognition:
    """Check a request against what is served.

    Raises:
        InvalidArgumentError: a value makes no sense; `field` names it.
        NotFoundError: no such model.
        FailedPreconditionError: the model, or this gateway, lacks the feature.
    """
    multi = request.language == languages.MULTI
    asked = None if multi else _language(request.language)
    language = asked.code if asked else None
    allowed = _allowed(request.languages, language)
    model = _model(request, asked, catalogue)
    for code in allowed:
        catalogue.choose(request.model, language=code, task=request.task)
    if request.channels == "split" and request.diarization is not None:
        raise InvalidArgumentError(
            "each channel is a speaker already: split channels or find speakers, not both", field="channels"
        )
    options = TranscribeOptions(
        model=model.name,
        language=request.language or None,
        languages=allowed,
        script=request.script,
        channels=request.channels,
        audio_track=_track(request),
        task=request.task,
        initial_prompt=request.initial_prompt or None,
        hotwords=", ".join(request.hotwords) or None,
        word_timestamps=request.word_timestamps,
        voice_detection=_voice(request),
        decoding=_decoding(request.decoding),
    )
    diarization = _diarization(request.diarization, diarizer=diarizer)
    return Recognition(model.name, options, request.pcm, diarization, _known_speakers(request))


def checked_live(request: LiveRequest, catalogue: Catalogue) -> LiveRecognition:
    """The same for live audio.

    Raises:
        ServerError: as `checked`.
    """
    recognition = checked(request.recognition, catalogue, diarizer=True)
    options = recognition.options
    if recognition.pcm is None:
        raise InvalidArgumentError("live audio needs explicit_decoding_config", field="pcm")
    if recognition.diarization is not None:
        raise InvalidArgumentError("speakers cannot be named in live audio; use UploadRecognize", field="diarization")
    if options.language == languages.MULTI:
        raise InvalidArgumentError("live audio has one language, given or detected", field="language")
    if options.audio_track is not None:
        raise InvalidArgumentError("live audio has no tracks", field="audio_track")
    if options.channels == "split":
        raise InvalidArgumentError("the channels of live audio are mixed", field="channels")
    if options.voice_detection is None:
        raise InvalidArgumentError("live audio always detects voices", field="voice_detection")
    _check_lengths(request)
    asked = options.asked_language
    known = catalogue.models[recognition.model].languages
    language = asked.fallback if asked.code is not None and asked.code not in known else asked.code
    listening = LiveOptions(
        interims=request.interims,
        events=request.events,
        end_s=DEFAULT_END_S if request.end_s is None else request.end_s,
        sentence_end_s=SENTENCE_END_S if request.end_s is None else None,
        language=language,
        voice=options.voice_detection,
        prefix_s=request.prefix_s,
        utterances=request.utterances,
        idle_s=request.idle_s,
    )
    return LiveRecognition(recognition.model, language_notices(asked, language), options, recognition.pcm, listening)


def _check_lengths(request: LiveRequest) -> None:
    if request.end_s is not None and not MIN_END_S <= request.end_s <= MAX_END_S:
        raise InvalidArgumentError(
            f"speech_end_timeout must be {MIN_END_S:g} to {MAX_END_S:g} s, not {request.end_s:g}",
            field="speech_end_timeout",
        )
    if not 0 <= request.prefix_s <= MAX_PREFIX_S:
        raise InvalidArgumentError(
            f"0 to {MAX_PREFIX_S:g} s are kept before speech, not {request.prefix_s:g}", field="prefix"
        )
    if request.idle_s is not None and request.idle_s < MIN_IDLE_S:
        raise InvalidArgumentError(
            f"silence is told after {MIN_IDLE_S:g} s at least, not {request.idle_s:g}", field="idle"
        )


def pcm_format(encoding: Encoding | None, sample_rate: int, channels: int) -> PcmFormat:
    """How headerless audio is encoded; 0 takes 16 kHz and one channel.

    Raises:
        InvalidArgumentError: the encoding is missing, or a number is out of range.
    """
    rate, count = sample_rate or SAMPLE_RATE, channels or 1
    if encoding is None:
        raise InvalidArgumentError("the encoding is missing or unknown", field="pcm.encoding")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidArgumentError(f"{rate} Hz is not {MIN_RATE} to {MAX_RATE}", field="pcm.sample_rate")
    if not 1 <= count <= MAX_CHANNELS:
        raise InvalidArgumentError(f"{count} channels are not 1 to {MAX_CHANNELS}", field="pcm.channels")
    return PcmFormat(encoding, rate, count)


def _model(request: RecognitionRequest, asked: languages.AskedLanguage | None, catalogue: Catalogue) -> ServedModel:
    """The model, which knows the language or what can be taken for it."""
    language, fallback = (asked.code, asked.fallback) if asked else (None, None)
    try:
        return catalogue.choose(request.model, language=language, task=request.task)
    except FailedPreconditionError as error:
        if fallback is None or error.field != "language":
            raise
        return catalogue.choose(request.model, language=fallback, task=request.task)


def _language(name: str) -> languages.AskedLanguage:
    try:
        return languages.understood(name or languages.AUTO)
    except UsageError as error:
        raise InvalidArgumentError(str(error), field="language") from error


def _track(request: RecognitionRequest) -> str | None:
    if not request.audio_track:
        return None
    if request.pcm:
        raise InvalidArgumentError("headerless audio has no tracks", field="audio_track")
    try:
        return tracks.check(request.audio_track)
    except UsageError as error:
        raise InvalidArgumentError(str(error), field="audio_track") from error


def _allowed(names: Iterable[str], language: str | None) -> tuple[str, ...]:
    try:
        allowed = languages.resolve_all(",".join(names))
    except UsageError as error:
        raise InvalidArgumentError(str(error), field="languages") from error
    if allowed and language:
        raise InvalidArgumentError(f"the language is {language!r}, so there are none to choose from", field="languages")
    return allowed


def _voice(request: RecognitionRequest) -> VadOptions | None:
    if not request.voice_detection:
        return None
    try:
        return VadOptions(**request.voice)
    except UsageError as error:
        raise InvalidArgumentError(str(error), field="voice") from error


def _diarization(wanted: Mapping[str, int] | None, *, diarizer: bool) -> DiarizationOptions | None:
    if wanted is None:
        return None
    if not diarizer:
        raise FailedPreconditionError("this gateway has no diarizer", field="diarization")
    try:
        return DiarizationOptions(
            num_speakers=wanted.get("num_speakers"),
            min_speakers=wanted.get("min_speakers"),
            max_speakers=wanted.get("max_speakers"),
        )
    except UsageError as error:
        raise InvalidArgumentError(str(error), field="diarization") from error


def _known_speakers(request: RecognitionRequest) -> Mapping[str, bytes]:
    for name in request.known_speakers:
        if not 1 <= len(name) <= MAX_NAME or clean(name) != name:
            raise InvalidArgumentError(f"names of speakers are one line of up to {MAX_NAME} characters", field=_KNOWN)
    if request.known_speakers and request.diarization is None:
        raise InvalidArgumentError("speakers are known, and none are asked for", field=_KNOWN)
    return request.known_speakers


def _decoding(options: Mapping[str, Any]) -> dict[str, Any]:
    """Finite numbers, rounded: a float of 32 bits is not what was typed, and 0.4 would not share a batch with it."""
    chosen: dict[str, Any] = {}
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        if not all(math.isfinite(number) for number in values):
            raise InvalidArgumentError(f"{name} is not a finite number", field=f"decoding.{name}")
        rounded = [round(number, 6) if isinstance(number, float) else number for number in values]
        chosen[name] = rounded if isinstance(value, list) else rounded[0]
    return chosen
