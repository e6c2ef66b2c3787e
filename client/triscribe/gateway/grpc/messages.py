"""Our values as messages."""

from __future__ import annotations

import math
from collections.abc import Iterable

from google.protobuf import duration_pb2

from triscribe.live.events import FinalResult, InterimResult, LiveEvent, Silence, SpeechActivity, UtteranceFinal
from triscribe.service.catalogue import Catalogue
from triscribe.service.recordings import Progress, Stage, UploadEvent
from triscribe.service.settings import GatewaySettings
from triscribe.service.streams import StreamEnd
from triscribe.tags import bcp47
from triscribe.transcription.events import Done
from triscribe.types import AudioTrack, Notice, Segment, Timing, Transcript, Word
from triscribe.v1 import diarization_pb2
from triscribe.v1 import speech_pb2 as pb

_TIMINGS: dict[Timing, pb.TimingSource] = {
    "aligned": pb.TIMING_SOURCE_ALIGNED,
    "attention": pb.TIMING_SOURCE_ATTENTION,
    "interpolated": pb.TIMING_SOURCE_INTERPOLATED,
}
_TASKS = {"transcribe": pb.TASK_TRANSCRIBE, "translate": pb.TASK_TRANSLATE}

_STAGES: dict[Stage, pb.UploadStage] = {
    Stage.RECEIVING: pb.UPLOAD_STAGE_RECEIVING,
    Stage.QUEUED: pb.UPLOAD_STAGE_QUEUED,
    Stage.DECODING: pb.UPLOAD_STAGE_DECODING,
    Stage.TRANSCRIBING: pb.UPLOAD_STAGE_TRANSCRIBING,
}

_MIXES: dict[str | None, pb.ChannelMix] = {
    None: pb.CHANNEL_MIX_UNSPECIFIED,
    "mean": pb.CHANNEL_MIX_MEAN,
    "centre": pb.CHANNEL_MIX_CENTRE,
    "inverted": pb.CHANNEL_MIX_INVERTED,
    "weighted": pb.CHANNEL_MIX_WEIGHTED,
}


def duration(seconds: float) -> duration_pb2.Duration:
    """Seconds as a Duration, to the millisecond."""
    message = duration_pb2.Duration()
    message.FromMilliseconds(round(seconds * 1000))
    return message


def result_message(segment: Segment, *, final: bool = True, stability: float = 0.0) -> pb.RecognitionResult:
    """One segment."""
    if segment.words:
        confidence = sum(word.probability for word in segment.words) / len(segment.words)
    else:
        confidence = math.exp(min(segment.avg_logprob, 0.0))
    alternative = pb.RecognitionAlternative(
        transcript=segment.text.strip(),
        confidence=confidence,
        words=[_word_message(word) for word in segment.words],
    )
    return pb.RecognitionResult(
        alternatives=[alternative],
        start_offset=duration(segment.start),
        result_end_offset=duration(segment.end),
        is_final=final,
        stability=stability,
        channel_tag=segment.channel or 0,
        language_code=bcp47(segment.language),
        language_confidence=segment.language_probability,
        speaker_label=segment.speaker or "",
        no_speech_prob=segment.no_speech_prob,
        compression_ratio=segment.compression_ratio,
        avg_logprob=segment.avg_logprob,
        temperature=segment.temperature,
    )


def _word_message(word: Word) -> pb.WordInfo:
    return pb.WordInfo(
        start_offset=duration(word.start),
        end_offset=duration(word.end),
        word=word.word,
        confidence=word.probability,
        speaker_label=word.speaker or "",
        timing_source=_TIMINGS[word.timing],
    )


def metadata_message(transcript: Transcript, request_id: str) -> pb.RecognitionMetadata:
    """What is said of a whole recording."""
    return pb.RecognitionMetadata(
        request_id=request_id,
        model=transcript.model,
        language_code=bcp47(transcript.language),
        language_confidence=transcript.language_probability,
        audio_duration=duration(transcript.audio.duration),
        warnings=warning_messages(transcript.warnings),
        audio_track=_track_message(transcript.audio.track),
        channel_mix=_MIXES[transcript.audio.mix],
        speaker_labels=transcript.speakers,
        speaker_turns=[
            diarization_pb2.Turn(
                start_offset=duration(turn.start), end_offset=duration(turn.end), speaker_label=turn.speaker
            )
            for turn in transcript.turns
        ],
        overlaps=[
            diarization_pb2.SpeechOverlap(
                start_offset=duration(overlap.start),
                end_offset=duration(overlap.end),
                speaker_labels=overlap.speakers,
            )
            for overlap in transcript.overlaps
        ],
    )


def _track_message(track: AudioTrack | None) -> pb.AudioTrack | None:
    if track is None:
        return None
    return pb.AudioTrack(
        index=track.index, count=track.count, language_code=track.language or "", title=track.title or ""
    )


def upload_message(event: UploadEvent, request_id: str) -> pb.UploadRecognizeResponse:
    """One event of an upload."""
    match event:
        case Progress(stage, fraction, received_bytes):
            progress = pb.UploadProgress(stage=_STAGES[stage], fraction=fraction, received_bytes=received_bytes)
            return pb.UploadRecognizeResponse(progress=progress)
        case Done(transcript):
            return pb.UploadRecognizeResponse(metadata=metadata_message(transcript, request_id))
        case Segment():
            return pb.UploadRecognizeResponse(result=result_message(event))


def streaming_message(event: LiveEvent | StreamEnd, request_id: str) -> pb.StreamingRecognizeResponse:
    """One event of a live stream."""
    match event:
        case FinalResult(segments):
            return pb.StreamingRecognizeResponse(results=[result_message(segment) for segment in segments])
        case InterimResult(segments, stability):
            results = [result_message(segment, final=False, stability=stability) for segment in segments]
            return pb.StreamingRecognizeResponse(results=results)
        case SpeechActivity(begins, time_s):
            kind = pb.SPEECH_EVENT_TYPE_SPEECH_ACTIVITY_BEGIN if begins else pb.SPEECH_EVENT_TYPE_SPEECH_ACTIVITY_END
            return pb.StreamingRecognizeResponse(speech_event_type=kind, speech_event_offset=duration(time_s))
        case UtteranceFinal() | Silence():
            raise AssertionError("no request of the proto asks for these")
        case StreamEnd():
            return pb.StreamingRecognizeResponse(metadata=_stream_metadata(event, request_id))


def _stream_metadata(end: StreamEnd, request_id: str) -> pb.RecognitionMetadata:
    return pb.RecognitionMetadata(
        request_id=request_id,
        model=end.model,
        language_code=bcp47(end.language),
        language_confidence=end.language_probability,
        audio_duration=duration(end.length_s),
        warnings=warning_messages(end.notices),
        channel_mix=_MIXES[end.mix],
    )


def warning_messages(notices: Iterable[Notice]) -> list[pb.RecognitionWarning]:
    """Notices as warnings."""
    return [
        pb.RecognitionWarning(
            code=notice.code,
            message=notice.message,
            start_offset=None if notice.start is None else duration(notice.start),
            end_offset=None if notice.end is None else duration(notice.end),
        )
        for notice in notices
    ]


def models_message(catalogue: Catalogue, settings: GatewaySettings) -> pb.ListModelsResponse:
    """What this gateway serves."""
    aligned = frozenset(catalogue.aligner_languages)
    return pb.ListModelsResponse(
        models=[
            pb.Model(
                name=model.name,
                language_codes=sorted(map(bcp47, model.languages)),
                tasks=[_TASKS[task] for task in model.tasks if task == "transcribe" or len(model.languages) > 1],
                aligner_language_codes=sorted(map(bcp47, model.languages & aligned)),
            )
            for model in catalogue.models.values()
        ],
        limits=pb.Limits(
            max_message_bytes=settings.max_message_bytes,
            max_recognize_duration=duration(settings.max_recognize_s),
            max_upload_duration=duration(settings.max_upload_s),
            max_upload_bytes=settings.max_upload_bytes,
            max_streaming_duration=duration(settings.max_streaming_s),
            max_calls_per_caller=settings.max_calls_per_caller,
        ),
        diarization=settings.diarizer is not None,
    )
