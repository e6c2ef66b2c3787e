"""The fields of a request: the names that refusals use inside, and where the proto has them."""

from __future__ import annotations

DECODING = (
    "beam_size",
    "length_penalty",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "compression_ratio_threshold",
    "log_prob_threshold",
    "no_speech_threshold",
)
"""Options of decoding that have one name inside and in the proto."""

_CONFIG = {
    "model": "model",
    "language": "language_code",
    "languages": "language_codes",
    "task": "task",
    "script": "chinese_script",
    "audio_track": "audio_track",
    "initial_prompt": "initial_prompt",
    "hotwords": "hotwords",
    "channels": "features.multi_channel_mode",
    "diarization": "features.diarization",
    "voice_detection": "features.enable_voice_detection",
    "word_timestamps": "features.enable_word_time_offsets",
    "pcm": "explicit_decoding_config",
    "pcm.encoding": "explicit_decoding_config.encoding",
    "pcm.sample_rate": "explicit_decoding_config.sample_rate_hertz",
    "pcm.channels": "explicit_decoding_config.audio_channel_count",
    "decoding": "decoding_options",
    "decoding.temperature": "decoding_options.temperatures",
    **{f"decoding.{name}": f"decoding_options.{name}" for name in DECODING},
}
"""Below `RecognitionConfig`."""

_STREAMING = {"speech_end_timeout": "streaming_features.speech_end_timeout"}
"""Below `StreamingRecognitionConfig`."""


def proto_field(name: str | None, method: str) -> str | None:
    """The path of a field, in the message that the caller of `method` sent; other names stay what they are."""
    if name in _CONFIG:
        prefix = "streaming_config.config" if method == "StreamingRecognize" else "config"
        return f"{prefix}.{_CONFIG[name]}"
    if name in _STREAMING:
        return f"streaming_config.{_STREAMING[name]}"
    return name
