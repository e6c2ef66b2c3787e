import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from triscribe.v1 import diarization_pb2 as _diarization_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChineseScript(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHINESE_SCRIPT_UNSPECIFIED: _ClassVar[ChineseScript]
    CHINESE_SCRIPT_SIMPLIFIED: _ClassVar[ChineseScript]
    CHINESE_SCRIPT_TRADITIONAL: _ClassVar[ChineseScript]

class Task(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_UNSPECIFIED: _ClassVar[Task]
    TASK_TRANSCRIBE: _ClassVar[Task]
    TASK_TRANSLATE: _ClassVar[Task]

class AudioEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIO_ENCODING_UNSPECIFIED: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_LINEAR16: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_FLOAT32: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_MULAW: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_ALAW: _ClassVar[AudioEncoding]

class MultiChannelMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MULTI_CHANNEL_MODE_UNSPECIFIED: _ClassVar[MultiChannelMode]
    MULTI_CHANNEL_MODE_MIXED: _ClassVar[MultiChannelMode]
    MULTI_CHANNEL_MODE_SPLIT: _ClassVar[MultiChannelMode]

class UploadStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UPLOAD_STAGE_UNSPECIFIED: _ClassVar[UploadStage]
    UPLOAD_STAGE_RECEIVING: _ClassVar[UploadStage]
    UPLOAD_STAGE_QUEUED: _ClassVar[UploadStage]
    UPLOAD_STAGE_DECODING: _ClassVar[UploadStage]
    UPLOAD_STAGE_TRANSCRIBING: _ClassVar[UploadStage]

class SpeechEventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPEECH_EVENT_TYPE_UNSPECIFIED: _ClassVar[SpeechEventType]
    SPEECH_EVENT_TYPE_SPEECH_ACTIVITY_BEGIN: _ClassVar[SpeechEventType]
    SPEECH_EVENT_TYPE_SPEECH_ACTIVITY_END: _ClassVar[SpeechEventType]

class TimingSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIMING_SOURCE_UNSPECIFIED: _ClassVar[TimingSource]
    TIMING_SOURCE_ALIGNED: _ClassVar[TimingSource]
    TIMING_SOURCE_ATTENTION: _ClassVar[TimingSource]
    TIMING_SOURCE_INTERPOLATED: _ClassVar[TimingSource]

class ChannelMix(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_MIX_UNSPECIFIED: _ClassVar[ChannelMix]
    CHANNEL_MIX_MEAN: _ClassVar[ChannelMix]
    CHANNEL_MIX_CENTRE: _ClassVar[ChannelMix]
    CHANNEL_MIX_INVERTED: _ClassVar[ChannelMix]
    CHANNEL_MIX_WEIGHTED: _ClassVar[ChannelMix]
CHINESE_SCRIPT_UNSPECIFIED: ChineseScript
CHINESE_SCRIPT_SIMPLIFIED: ChineseScript
CHINESE_SCRIPT_TRADITIONAL: ChineseScript
TASK_UNSPECIFIED: Task
TASK_TRANSCRIBE: Task
TASK_TRANSLATE: Task
AUDIO_ENCODING_UNSPECIFIED: AudioEncoding
AUDIO_ENCODING_LINEAR16: AudioEncoding
AUDIO_ENCODING_FLOAT32: AudioEncoding
AUDIO_ENCODING_MULAW: AudioEncoding
AUDIO_ENCODING_ALAW: AudioEncoding
MULTI_CHANNEL_MODE_UNSPECIFIED: MultiChannelMode
MULTI_CHANNEL_MODE_MIXED: MultiChannelMode
MULTI_CHANNEL_MODE_SPLIT: MultiChannelMode
UPLOAD_STAGE_UNSPECIFIED: UploadStage
UPLOAD_STAGE_RECEIVING: UploadStage
UPLOAD_STAGE_QUEUED: UploadStage
UPLOAD_STAGE_DECODING: UploadStage
UPLOAD_STAGE_TRANSCRIBING: UploadStage
SPEECH_EVENT_TYPE_UNSPECIFIED: SpeechEventType
SPEECH_EVENT_TYPE_SPEECH_ACTIVITY_BEGIN: SpeechEventType
SPEECH_EVENT_TYPE_SPEECH_ACTIVITY_END: SpeechEventType
TIMING_SOURCE_UNSPECIFIED: TimingSource
TIMING_SOURCE_ALIGNED: TimingSource
TIMING_SOURCE_ATTENTION: TimingSource
TIMING_SOURCE_INTERPOLATED: TimingSource
CHANNEL_MIX_UNSPECIFIED: ChannelMix
CHANNEL_MIX_MEAN: ChannelMix
CHANNEL_MIX_CENTRE: ChannelMix
CHANNEL_MIX_INVERTED: ChannelMix
CHANNEL_MIX_WEIGHTED: ChannelMix

class RecognitionConfig(_message.Message):
    __slots__ = ("model", "language_code", "task", "auto_decoding_config", "explicit_decoding_config", "features", "initial_prompt", "hotwords", "decoding_options", "language_codes", "chinese_script", "audio_track")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    AUTO_DECODING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    EXPLICIT_DECODING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    INITIAL_PROMPT_FIELD_NUMBER: _ClassVar[int]
    HOTWORDS_FIELD_NUMBER: _ClassVar[int]
    DECODING_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODES_FIELD_NUMBER: _ClassVar[int]
    CHINESE_SCRIPT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_TRACK_FIELD_NUMBER: _ClassVar[int]
    model: str
    language_code: str
    task: Task
    auto_decoding_config: AutoDetectDecodingConfig
    explicit_decoding_config: ExplicitDecodingConfig
    features: RecognitionFeatures
    initial_prompt: str
    hotwords: _containers.RepeatedScalarFieldContainer[str]
    decoding_options: DecodingOptions
    language_codes: _containers.RepeatedScalarFieldContainer[str]
    chinese_script: ChineseScript
    audio_track: str
    def __init__(self, model: _Optional[str] = ..., language_code: _Optional[str] = ..., task: _Optional[_Union[Task, str]] = ..., auto_decoding_config: _Optional[_Union[AutoDetectDecodingConfig, _Mapping]] = ..., explicit_decoding_config: _Optional[_Union[ExplicitDecodingConfig, _Mapping]] = ..., features: _Optional[_Union[RecognitionFeatures, _Mapping]] = ..., initial_prompt: _Optional[str] = ..., hotwords: _Optional[_Iterable[str]] = ..., decoding_options: _Optional[_Union[DecodingOptions, _Mapping]] = ..., language_codes: _Optional[_Iterable[str]] = ..., chinese_script: _Optional[_Union[ChineseScript, str]] = ..., audio_track: _Optional[str] = ...) -> None: ...

class AutoDetectDecodingConfig(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExplicitDecodingConfig(_message.Message):
    __slots__ = ("encoding", "sample_rate_hertz", "audio_channel_count")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HERTZ_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CHANNEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    encoding: AudioEncoding
    sample_rate_hertz: int
    audio_channel_count: int
    def __init__(self, encoding: _Optional[_Union[AudioEncoding, str]] = ..., sample_rate_hertz: _Optional[int] = ..., audio_channel_count: _Optional[int] = ...) -> None: ...

class RecognitionFeatures(_message.Message):
    __slots__ = ("enable_word_time_offsets", "enable_voice_detection", "diarization", "multi_channel_mode")
    ENABLE_WORD_TIME_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    ENABLE_VOICE_DETECTION_FIELD_NUMBER: _ClassVar[int]
    DIARIZATION_FIELD_NUMBER: _ClassVar[int]
    MULTI_CHANNEL_MODE_FIELD_NUMBER: _ClassVar[int]
    enable_word_time_offsets: bool
    enable_voice_detection: bool
    diarization: SpeakerDiarizationConfig
    multi_channel_mode: MultiChannelMode
    def __init__(self, enable_word_time_offsets: _Optional[bool] = ..., enable_voice_detection: _Optional[bool] = ..., diarization: _Optional[_Union[SpeakerDiarizationConfig, _Mapping]] = ..., multi_channel_mode: _Optional[_Union[MultiChannelMode, str]] = ...) -> None: ...

class SpeakerDiarizationConfig(_message.Message):
    __slots__ = ("num_speakers", "min_speakers", "max_speakers")
    NUM_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    MIN_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    MAX_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    num_speakers: int
    min_speakers: int
    max_speakers: int
    def __init__(self, num_speakers: _Optional[int] = ..., min_speakers: _Optional[int] = ..., max_speakers: _Optional[int] = ...) -> None: ...

class DecodingOptions(_message.Message):
    __slots__ = ("beam_size", "temperatures", "length_penalty", "repetition_penalty", "no_repeat_ngram_size", "compression_ratio_threshold", "log_prob_threshold", "no_speech_threshold")
    BEAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURES_FIELD_NUMBER: _ClassVar[int]
    LENGTH_PENALTY_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    NO_REPEAT_NGRAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_RATIO_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    LOG_PROB_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    NO_SPEECH_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    beam_size: int
    temperatures: _containers.RepeatedScalarFieldContainer[float]
    length_penalty: float
    repetition_penalty: float
    no_repeat_ngram_size: int
    compression_ratio_threshold: float
    log_prob_threshold: float
    no_speech_threshold: float
    def __init__(self, beam_size: _Optional[int] = ..., temperatures: _Optional[_Iterable[float]] = ..., length_penalty: _Optional[float] = ..., repetition_penalty: _Optional[float] = ..., no_repeat_ngram_size: _Optional[int] = ..., compression_ratio_threshold: _Optional[float] = ..., log_prob_threshold: _Optional[float] = ..., no_speech_threshold: _Optional[float] = ...) -> None: ...

class RecognizeRequest(_message.Message):
    __slots__ = ("config", "audio")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    config: RecognitionConfig
    audio: bytes
    def __init__(self, config: _Optional[_Union[RecognitionConfig, _Mapping]] = ..., audio: _Optional[bytes] = ...) -> None: ...

class RecognizeResponse(_message.Message):
    __slots__ = ("results", "metadata")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RecognitionResult]
    metadata: RecognitionMetadata
    def __init__(self, results: _Optional[_Iterable[_Union[RecognitionResult, _Mapping]]] = ..., metadata: _Optional[_Union[RecognitionMetadata, _Mapping]] = ...) -> None: ...

class UploadRecognizeRequest(_message.Message):
    __slots__ = ("config", "audio")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    config: RecognitionConfig
    audio: bytes
    def __init__(self, config: _Optional[_Union[RecognitionConfig, _Mapping]] = ..., audio: _Optional[bytes] = ...) -> None: ...

class UploadRecognizeResponse(_message.Message):
    __slots__ = ("progress", "result", "metadata")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    progress: UploadProgress
    result: RecognitionResult
    metadata: RecognitionMetadata
    def __init__(self, progress: _Optional[_Union[UploadProgress, _Mapping]] = ..., result: _Optional[_Union[RecognitionResult, _Mapping]] = ..., metadata: _Optional[_Union[RecognitionMetadata, _Mapping]] = ...) -> None: ...

class UploadProgress(_message.Message):
    __slots__ = ("stage", "fraction", "received_bytes")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_BYTES_FIELD_NUMBER: _ClassVar[int]
    stage: UploadStage
    fraction: float
    received_bytes: int
    def __init__(self, stage: _Optional[_Union[UploadStage, str]] = ..., fraction: _Optional[float] = ..., received_bytes: _Optional[int] = ...) -> None: ...

class StreamingRecognizeRequest(_message.Message):
    __slots__ = ("streaming_config", "audio")
    STREAMING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    streaming_config: StreamingRecognitionConfig
    audio: bytes
    def __init__(self, streaming_config: _Optional[_Union[StreamingRecognitionConfig, _Mapping]] = ..., audio: _Optional[bytes] = ...) -> None: ...

class StreamingRecognitionConfig(_message.Message):
    __slots__ = ("config", "streaming_features")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    STREAMING_FEATURES_FIELD_NUMBER: _ClassVar[int]
    config: RecognitionConfig
    streaming_features: StreamingRecognitionFeatures
    def __init__(self, config: _Optional[_Union[RecognitionConfig, _Mapping]] = ..., streaming_features: _Optional[_Union[StreamingRecognitionFeatures, _Mapping]] = ...) -> None: ...

class StreamingRecognitionFeatures(_message.Message):
    __slots__ = ("interim_results", "enable_voice_activity_events", "speech_end_timeout")
    INTERIM_RESULTS_FIELD_NUMBER: _ClassVar[int]
    ENABLE_VOICE_ACTIVITY_EVENTS_FIELD_NUMBER: _ClassVar[int]
    SPEECH_END_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    interim_results: bool
    enable_voice_activity_events: bool
    speech_end_timeout: _duration_pb2.Duration
    def __init__(self, interim_results: _Optional[bool] = ..., enable_voice_activity_events: _Optional[bool] = ..., speech_end_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StreamingRecognizeResponse(_message.Message):
    __slots__ = ("results", "speech_event_type", "speech_event_offset", "metadata")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    SPEECH_EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SPEECH_EVENT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RecognitionResult]
    speech_event_type: SpeechEventType
    speech_event_offset: _duration_pb2.Duration
    metadata: RecognitionMetadata
    def __init__(self, results: _Optional[_Iterable[_Union[RecognitionResult, _Mapping]]] = ..., speech_event_type: _Optional[_Union[SpeechEventType, str]] = ..., speech_event_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., metadata: _Optional[_Union[RecognitionMetadata, _Mapping]] = ...) -> None: ...

class RecognitionResult(_message.Message):
    __slots__ = ("alternatives", "start_offset", "result_end_offset", "is_final", "stability", "channel_tag", "language_code", "speaker_label", "no_speech_prob", "compression_ratio", "avg_logprob", "temperature", "language_confidence")
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    RESULT_END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_TAG_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_LABEL_FIELD_NUMBER: _ClassVar[int]
    NO_SPEECH_PROB_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_RATIO_FIELD_NUMBER: _ClassVar[int]
    AVG_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    alternatives: _containers.RepeatedCompositeFieldContainer[RecognitionAlternative]
    start_offset: _duration_pb2.Duration
    result_end_offset: _duration_pb2.Duration
    is_final: bool
    stability: float
    channel_tag: int
    language_code: str
    speaker_label: str
    no_speech_prob: float
    compression_ratio: float
    avg_logprob: float
    temperature: float
    language_confidence: float
    def __init__(self, alternatives: _Optional[_Iterable[_Union[RecognitionAlternative, _Mapping]]] = ..., start_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., result_end_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., is_final: _Optional[bool] = ..., stability: _Optional[float] = ..., channel_tag: _Optional[int] = ..., language_code: _Optional[str] = ..., speaker_label: _Optional[str] = ..., no_speech_prob: _Optional[float] = ..., compression_ratio: _Optional[float] = ..., avg_logprob: _Optional[float] = ..., temperature: _Optional[float] = ..., language_confidence: _Optional[float] = ...) -> None: ...

class RecognitionAlternative(_message.Message):
    __slots__ = ("transcript", "confidence", "words")
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    transcript: str
    confidence: float
    words: _containers.RepeatedCompositeFieldContainer[WordInfo]
    def __init__(self, transcript: _Optional[str] = ..., confidence: _Optional[float] = ..., words: _Optional[_Iterable[_Union[WordInfo, _Mapping]]] = ...) -> None: ...

class WordInfo(_message.Message):
    __slots__ = ("start_offset", "end_offset", "word", "confidence", "speaker_label", "timing_source")
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    WORD_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_LABEL_FIELD_NUMBER: _ClassVar[int]
    TIMING_SOURCE_FIELD_NUMBER: _ClassVar[int]
    start_offset: _duration_pb2.Duration
    end_offset: _duration_pb2.Duration
    word: str
    confidence: float
    speaker_label: str
    timing_source: TimingSource
    def __init__(self, start_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., word: _Optional[str] = ..., confidence: _Optional[float] = ..., speaker_label: _Optional[str] = ..., timing_source: _Optional[_Union[TimingSource, str]] = ...) -> None: ...

class RecognitionMetadata(_message.Message):
    __slots__ = ("request_id", "model", "language_code", "language_confidence", "audio_duration", "warnings", "speaker_labels", "speaker_turns", "overlaps", "audio_track", "channel_mix")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_DURATION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_LABELS_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_TURNS_FIELD_NUMBER: _ClassVar[int]
    OVERLAPS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_TRACK_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_MIX_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    language_code: str
    language_confidence: float
    audio_duration: _duration_pb2.Duration
    warnings: _containers.RepeatedCompositeFieldContainer[RecognitionWarning]
    speaker_labels: _containers.RepeatedScalarFieldContainer[str]
    speaker_turns: _containers.RepeatedCompositeFieldContainer[_diarization_pb2.Turn]
    overlaps: _containers.RepeatedCompositeFieldContainer[_diarization_pb2.SpeechOverlap]
    audio_track: AudioTrack
    channel_mix: ChannelMix
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., language_code: _Optional[str] = ..., language_confidence: _Optional[float] = ..., audio_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[RecognitionWarning, _Mapping]]] = ..., speaker_labels: _Optional[_Iterable[str]] = ..., speaker_turns: _Optional[_Iterable[_Union[_diarization_pb2.Turn, _Mapping]]] = ..., overlaps: _Optional[_Iterable[_Union[_diarization_pb2.SpeechOverlap, _Mapping]]] = ..., audio_track: _Optional[_Union[AudioTrack, _Mapping]] = ..., channel_mix: _Optional[_Union[ChannelMix, str]] = ...) -> None: ...

class AudioTrack(_message.Message):
    __slots__ = ("index", "count", "language_code", "title")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    index: int
    count: int
    language_code: str
    title: str
    def __init__(self, index: _Optional[int] = ..., count: _Optional[int] = ..., language_code: _Optional[str] = ..., title: _Optional[str] = ...) -> None: ...

class RecognitionWarning(_message.Message):
    __slots__ = ("code", "message", "start_offset", "end_offset")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    start_offset: _duration_pb2.Duration
    end_offset: _duration_pb2.Duration
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., start_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., end_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "limits", "diarization")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    DIARIZATION_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    limits: Limits
    diarization: bool
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., diarization: _Optional[bool] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "language_codes", "tasks", "aligner_language_codes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODES_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    ALIGNER_LANGUAGE_CODES_FIELD_NUMBER: _ClassVar[int]
    name: str
    language_codes: _containers.RepeatedScalarFieldContainer[str]
    tasks: _containers.RepeatedScalarFieldContainer[Task]
    aligner_language_codes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., language_codes: _Optional[_Iterable[str]] = ..., tasks: _Optional[_Iterable[_Union[Task, str]]] = ..., aligner_language_codes: _Optional[_Iterable[str]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_message_bytes", "max_recognize_duration", "max_upload_duration", "max_upload_bytes", "max_streaming_duration", "max_calls_per_caller")
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_RECOGNIZE_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_UPLOAD_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_UPLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_STREAMING_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_CALLS_PER_CALLER_FIELD_NUMBER: _ClassVar[int]
    max_message_bytes: int
    max_recognize_duration: _duration_pb2.Duration
    max_upload_duration: _duration_pb2.Duration
    max_upload_bytes: int
    max_streaming_duration: _duration_pb2.Duration
    max_calls_per_caller: int
    def __init__(self, max_message_bytes: _Optional[int] = ..., max_recognize_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_upload_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_upload_bytes: _Optional[int] = ..., max_streaming_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_calls_per_caller: _Optional[int] = ...) -> None: ...
