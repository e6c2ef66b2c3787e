import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DiarizationStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIARIZATION_STAGE_UNSPECIFIED: _ClassVar[DiarizationStage]
    DIARIZATION_STAGE_QUEUED: _ClassVar[DiarizationStage]
    DIARIZATION_STAGE_LOADING: _ClassVar[DiarizationStage]
    DIARIZATION_STAGE_SEGMENTATION: _ClassVar[DiarizationStage]
    DIARIZATION_STAGE_EMBEDDING: _ClassVar[DiarizationStage]
    DIARIZATION_STAGE_CLUSTERING: _ClassVar[DiarizationStage]
DIARIZATION_STAGE_UNSPECIFIED: DiarizationStage
DIARIZATION_STAGE_QUEUED: DiarizationStage
DIARIZATION_STAGE_LOADING: DiarizationStage
DIARIZATION_STAGE_SEGMENTATION: DiarizationStage
DIARIZATION_STAGE_EMBEDDING: DiarizationStage
DIARIZATION_STAGE_CLUSTERING: DiarizationStage

class DiarizeRequest(_message.Message):
    __slots__ = ("config", "audio")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    config: DiarizationConfig
    audio: bytes
    def __init__(self, config: _Optional[_Union[DiarizationConfig, _Mapping]] = ..., audio: _Optional[bytes] = ...) -> None: ...

class DiarizationConfig(_message.Message):
    __slots__ = ("num_speakers", "min_speakers", "max_speakers", "pipeline", "embeddings")
    NUM_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    MIN_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    MAX_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    num_speakers: int
    min_speakers: int
    max_speakers: int
    pipeline: str
    embeddings: bool
    def __init__(self, num_speakers: _Optional[int] = ..., min_speakers: _Optional[int] = ..., max_speakers: _Optional[int] = ..., pipeline: _Optional[str] = ..., embeddings: _Optional[bool] = ...) -> None: ...

class DiarizeResponse(_message.Message):
    __slots__ = ("progress", "result")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    progress: DiarizationProgress
    result: DiarizationResult
    def __init__(self, progress: _Optional[_Union[DiarizationProgress, _Mapping]] = ..., result: _Optional[_Union[DiarizationResult, _Mapping]] = ...) -> None: ...

class DiarizationProgress(_message.Message):
    __slots__ = ("stage", "fraction")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    stage: DiarizationStage
    fraction: float
    def __init__(self, stage: _Optional[_Union[DiarizationStage, str]] = ..., fraction: _Optional[float] = ...) -> None: ...

class DiarizationResult(_message.Message):
    __slots__ = ("turns", "exclusive_turns", "overlaps", "speakers")
    TURNS_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_TURNS_FIELD_NUMBER: _ClassVar[int]
    OVERLAPS_FIELD_NUMBER: _ClassVar[int]
    SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    turns: _containers.RepeatedCompositeFieldContainer[Turn]
    exclusive_turns: _containers.RepeatedCompositeFieldContainer[Turn]
    overlaps: _containers.RepeatedCompositeFieldContainer[SpeechOverlap]
    speakers: _containers.RepeatedCompositeFieldContainer[Speaker]
    def __init__(self, turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., exclusive_turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., overlaps: _Optional[_Iterable[_Union[SpeechOverlap, _Mapping]]] = ..., speakers: _Optional[_Iterable[_Union[Speaker, _Mapping]]] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("start_offset", "end_offset", "speaker_label")
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_LABEL_FIELD_NUMBER: _ClassVar[int]
    start_offset: _duration_pb2.Duration
    end_offset: _duration_pb2.Duration
    speaker_label: str
    def __init__(self, start_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., speaker_label: _Optional[str] = ...) -> None: ...

class SpeechOverlap(_message.Message):
    __slots__ = ("start_offset", "end_offset", "speaker_labels")
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_LABELS_FIELD_NUMBER: _ClassVar[int]
    start_offset: _duration_pb2.Duration
    end_offset: _duration_pb2.Duration
    speaker_labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, start_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., speaker_labels: _Optional[_Iterable[str]] = ...) -> None: ...

class Speaker(_message.Message):
    __slots__ = ("label", "embedding")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    label: str
    embedding: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, label: _Optional[str] = ..., embedding: _Optional[_Iterable[float]] = ...) -> None: ...
