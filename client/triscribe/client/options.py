"""What a caller may ask for, and how it is written into the messages. Defaults are the gateway's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from google.protobuf import duration_pb2

from triscribe.diarization.options import DiarizationOptions
from triscribe.language.chinese import Script
from triscribe.types import SAMPLE_RATE, Task
from triscribe.v1 import speech_pb2 as pb

_TASKS: dict[Task, pb.Task] = {"transcribe": pb.TASK_TRANSCRIBE, "translate": pb.TASK_TRANSLATE}
_SCRIPTS: dict[Script, pb.ChineseScript] = {
    "simplified": pb.CHINESE_SCRIPT_SIMPLIFIED,
    "traditional": pb.CHINESE_SCRIPT_TRADITIONAL,
}
_ENCODINGS: dict[str, pb.AudioEncoding] = {
    "linear16": pb.AUDIO_ENCODING_LINEAR16,
    "float32": pb.AUDIO_ENCODING_FLOAT32,
    "mulaw": pb.AUDIO_ENCODING_MULAW,
    "alaw": pb.AUDIO_ENCODING_ALAW,
}


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """Headerless audio: interleaved little-endian samples, `sample_rate` in Hz."""

    encoding: Literal["linear16", "float32", "mulaw", "alaw"] = "linear16"
    sample_rate: int = SAMPLE_RATE
    channels: int = 1


@dataclass(frozen=True)
class RecognitionOptions:
    """What to do with a recording. None, or empty, leaves the choice to the gateway.

    Attributes:
        model: name of a served model.
        language: BCP-47 code or name; None detects it, "multi" wherever it may change.
        languages: codes that detection chooses from.
        script: how Chinese is written.
        channels: "split" transcribes each channel by itself, and each is a speaker.
        audio_track: number from 1 or language of the track of a file.
        task: "translate" writes English.
        initial_prompt: text that the recording could be a continuation of.
        hotwords: terms to expect.
        word_timestamps: whether words get times.
        voice_detection: whether only speech is transcribed.
        diarization: name the speakers; `DiarizationOptions()` finds their number as well.
        pcm: how headerless audio is encoded; None for files.
        decoding: fields of `DecodingOptions` in the proto, `temperatures` as a list.
    """

    model: str = ""
    language: str | None = None
    languages: Sequence[str] = ()
    script: Script | None = None
    channels: Literal["mix", "split"] = "mix"
    audio_track: str = ""
    task: Task = "transcribe"
    initial_prompt: str = ""
    hotwords: Sequence[str] = ()
    word_timestamps: bool | None = None
    voice_detection: bool | None = None
    diarization: DiarizationOptions | None = None
    pcm: PcmFormat | None = None
    decoding: Mapping[str, Any] = field(default_factory=dict)

    def message(self) -> pb.RecognitionConfig:
        """As RecognitionConfig."""
        features = pb.RecognitionFeatures(
            enable_word_time_offsets=self.word_timestamps, enable_voice_detection=self.voice_detection
        )
        if self.channels == "split":
            features.multi_channel_mode = pb.MULTI_CHANNEL_MODE_SPLIT
        if self.diarization is not None:
            features.diarization.CopyFrom(
                pb.SpeakerDiarizationConfig(
                    num_speakers=self.diarization.num_speakers,
                    min_speakers=self.diarization.min_speakers,
                    max_speakers=self.diarization.max_speakers,
                )
            )
        config = pb.RecognitionConfig(
            model=self.model,
            language_code=self.language or "",
            task=_TASKS[self.task],
            features=features,
            audio_track=self.audio_track,
            initial_prompt=self.initial_prompt,
            hotwords=self.hotwords,
            decoding_options=pb.DecodingOptions(**self.decoding),
            language_codes=self.languages,
            chinese_script=_SCRIPTS[self.script] if self.script else pb.CHINESE_SCRIPT_UNSPECIFIED,
        )
        if self.pcm is not None:
            explicit = pb.ExplicitDecodingConfig(
                encoding=_ENCODINGS[self.pcm.encoding],
                sample_rate_hertz=self.pcm.sample_rate,
                audio_channel_count=self.pcm.channels,
            )
            config.explicit_decoding_config.CopyFrom(explicit)
        return config


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What is sent beside final results; `end_s` is the silence, in seconds, after which speech becomes final.

    None takes the gateway's: 0.3 s after a whole sentence, else 0.6 s.
    """

    interims: bool = False
    voice_activity: bool = False
    end_s: float | None = None

    def message(self, recognition: RecognitionOptions) -> pb.StreamingRecognizeRequest:
        """The first message of a live call; `recognition.pcm` defaults to 16-bit mono at 16 kHz."""
        config = recognition.message()
        if recognition.pcm is None:
            config.explicit_decoding_config.encoding = pb.AUDIO_ENCODING_LINEAR16
        features = pb.StreamingRecognitionFeatures(
            interim_results=self.interims, enable_voice_activity_events=self.voice_activity
        )
        if self.end_s is not None:
            timeout = duration_pb2.Duration()
            timeout.FromMilliseconds(round(self.end_s * 1000))
            features.speech_end_timeout.CopyFrom(timeout)
        streaming = pb.StreamingRecognitionConfig(config=config, streaming_features=features)
        return pb.StreamingRecognizeRequest(streaming_config=streaming)
