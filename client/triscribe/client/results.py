"""Messages as our values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from triscribe.errors import UnavailableError
from triscribe.types import (
    AudioInfo,
    AudioTrack,
    Notice,
    Overlap,
    Segment,
    SpeakerTurn,
    Task,
    Timing,
    Transcript,
    Word,
)
from triscribe.v1 import speech_pb2 as pb

_TIMINGS: dict[int, Timing] = {
    pb.TIMING_SOURCE_ALIGNED: "aligned",
    pb.TIMING_SOURCE_ATTENTION: "attention",
    pb.TIMING_SOURCE_INTERPOLATED: "interpolated",
    pb.TIMING_SOURCE_UNSPECIFIED: "interpolated",
}
_MIXES = {
    pb.CHANNEL_MIX_MEAN: "mean",
    pb.CHANNEL_MIX_CENTRE: "centre",
    pb.CHANNEL_MIX_INVERTED: "inverted",
    pb.CHANNEL_MIX_WEIGHTED: "weighted",
}
_TASKS: dict[int, Task] = {pb.TASK_TRANSCRIBE: "transcribe", pb.TASK_TRANSLATE: "translate"}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One served model; languages are BCP-47 codes."""

    name: str
    languages: tuple[str, ...]
    tasks: tuple[Task, ...]
    aligned_languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """What a gateway serves; the first model is the default. Lengths are seconds."""

    models: tuple[ModelInfo, ...]
    diarization: bool
    max_message_bytes: int
    max_recognize_s: float
    max_upload_s: float
    max_upload_bytes: int
    max_streaming_s: float
    max_calls_per_caller: int


@dataclass(frozen=True, slots=True)
class LiveResult:
    """Final segments, which never change; or interims, which stand for all after the last final segment."""

    segments: tuple[Segment, ...]
    is_final: bool
    stability: float = 0.0


@dataclass(frozen=True, slots=True)
class SpeechActivity:
    """Somebody starts (`begins`) or stops speaking at `offset` seconds."""

    begins: bool
    offset: float


@dataclass(frozen=True, slots=True)
class LiveEnd:
    """The last event: all final segments as a transcript."""

    transcript: Transcript


LiveEvent = LiveResult | SpeechActivity | LiveEnd


def gateway_info(response: pb.ListModelsResponse) -> GatewayInfo:
    """The answer of ListModels."""
    limits = response.limits
    return GatewayInfo(
        tuple(
            ModelInfo(
                model.name,
                tuple(model.language_codes),
                tuple(_TASKS[task] for task in model.tasks if task in _TASKS),
                tuple(model.aligner_language_codes),
            )
            for model in response.models
        ),
        response.diarization,
        limits.max_message_bytes,
        _seconds(limits.max_recognize_duration),
        _seconds(limits.max_upload_duration),
        limits.max_upload_bytes,
        _seconds(limits.max_streaming_duration),
        limits.max_calls_per_caller,
    )


def transcript(segments: Iterable[Segment], metadata: pb.RecognitionMetadata, *, path: str, task: Task) -> Transcript:
    """A whole recording."""
    return Transcript(
        audio=AudioInfo(path, _seconds(metadata.audio_duration), _track(metadata), _MIXES.get(metadata.channel_mix)),
        language=metadata.language_code or None,
        language_probability=metadata.language_confidence,
        model=metadata.model,
        task=task,
        segments=tuple(segments),
        speakers=tuple(metadata.speaker_labels),
        turns=tuple(
            SpeakerTurn(_seconds(turn.start_offset), _seconds(turn.end_offset), turn.speaker_label)
            for turn in metadata.speaker_turns
        ),
        overlaps=tuple(
            Overlap(_seconds(overlap.start_offset), _seconds(overlap.end_offset), tuple(overlap.speaker_labels))
            for overlap in metadata.overlaps
        ),
        warnings=tuple(
            Notice(
                warning.code,
                warning.message,
                _maybe_seconds(warning, "start_offset"),
                _maybe_seconds(warning, "end_offset"),
            )
            for warning in metadata.warnings
        ),
    )


def _track(metadata: pb.RecognitionMetadata) -> AudioTrack | None:
    if not metadata.HasField("audio_track"):
        return None
    track = metadata.audio_track
    return AudioTrack(track.index, track.count, track.language_code or None, track.title or None)


def segment(result: pb.RecognitionResult) -> Segment:
    """One result."""
    best = result.alternatives[0]
    return Segment(
        start=_seconds(result.start_offset),
        end=_seconds(result.result_end_offset),
        text=best.transcript,
        language=result.language_code,
        avg_logprob=result.avg_logprob,
        no_speech_prob=result.no_speech_prob,
        compression_ratio=result.compression_ratio,
        temperature=result.temperature,
        words=tuple(
            Word(
                word.word,
                _seconds(word.start_offset),
                _seconds(word.end_offset),
                word.confidence,
                _TIMINGS[word.timing_source],
                word.speaker_label or None,
            )
            for word in best.words
        ),
        speaker=result.speaker_label or None,
        language_probability=result.language_confidence,
        channel=result.channel_tag or None,
    )


class LiveEvents:
    """Turns the responses of one live call into events."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._segments: list[Segment] = []

    def take(self, response: pb.StreamingRecognizeResponse) -> LiveEvent:
        """The event of one response."""
        if response.HasField("metadata"):
            return LiveEnd(transcript(self._segments, response.metadata, path="-", task=self._task))
        if response.speech_event_type:
            begins = response.speech_event_type == pb.SPEECH_EVENT_TYPE_SPEECH_ACTIVITY_BEGIN
            return SpeechActivity(begins, _seconds(response.speech_event_offset))
        segments = tuple(map(segment, response.results))
        is_final = all(result.is_final for result in response.results)
        if is_final:
            self._segments += segments
        return LiveResult(segments, is_final, max((result.stability for result in response.results), default=0.0))


class UploadEvents:
    """Collects the responses of one upload."""

    def __init__(self, path: str, task: Task) -> None:
        self._path = path
        self._task = task
        self._segments: list[Segment] = []
        self._metadata: pb.RecognitionMetadata | None = None

    def take(self, response: pb.UploadRecognizeResponse) -> Segment | float | None:
        """A segment that is final, or the share of the work done; None for the last message."""
        kind = response.WhichOneof("payload")
        if kind == "result":
            self._segments.append(segment(response.result))
            return self._segments[-1]
        if kind == "metadata":
            self._metadata = response.metadata
        return response.progress.fraction if kind == "progress" else None

    def transcript(self) -> Transcript:
        """The whole.

        Raises:
            UnavailableError: the stream ended without its last message.
        """
        if self._metadata is None:
            raise UnavailableError("the gateway ended the call without its last message")
        return transcript(self._segments, self._metadata, path=self._path, task=self._task)


def _seconds(duration: Duration) -> float:
    return duration.ToNanoseconds() / 1e9


def _maybe_seconds(message: Message, name: str) -> float | None:
    return _seconds(getattr(message, name)) if message.HasField(name) else None
