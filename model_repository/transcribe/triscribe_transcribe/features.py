"""From samples to the log-mel that Whisper reads, padded to one of a few lengths."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from .errors import PipelineError

SAMPLE_RATE = 16_000
HOP_LENGTH = 160
FRAMES_PER_SECOND = SAMPLE_RATE // HOP_LENGTH
MAX_AUDIO_S = 30
MIN_AUDIO_SAMPLES = SAMPLE_RATE // 50
"""Shorter than one encoder position (20 ms) there is nothing to hear."""

SILENCE_PEAK = 10 ** (-70 / 20)
"""Below -70 dBFS there is no speech to write down: 16-bit dither is at -90 dBFS, a quiet room near -60."""


def check_audio(audio: NDArray[Any], field: str) -> NDArray[np.float32]:
    """The samples as float32 in [-1, 1], shape (n,).

    Args:
        audio: float32 or int16, shape (n,), mono 16 kHz, at most 30 s.
        field: the tensor's name, for the error.

    Raises:
        PipelineError: INVALID_ARGUMENT for a wrong rank, too much audio, or samples that are not finite.
    """
    if audio.ndim != 1:
        raise PipelineError("INVALID_ARGUMENT", f"{field} has {audio.ndim} dimensions, not 1", field)
    if len(audio) > MAX_AUDIO_S * SAMPLE_RATE:
        seconds = len(audio) / SAMPLE_RATE
        raise PipelineError("INVALID_ARGUMENT", f"{field} is {seconds:.1f} s long, at most 30 s fit", field)
    samples = audio.astype(np.float32, copy=False)
    if audio.dtype == np.int16:
        samples = samples / np.float32(32768)
    if not np.isfinite(samples).all():
        raise PipelineError("INVALID_ARGUMENT", f"{field} holds samples that are not finite numbers", field)
    return np.clip(samples, -1.0, 1.0)


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Whether there is nothing that a microphone could have meant as speech."""
    return len(samples) < MIN_AUDIO_SAMPLES or float(np.abs(samples).max()) < SILENCE_PEAK


def bucket_frames(n_samples: int, buckets_s: tuple[float, ...], margin_s: float) -> int:
    """The shortest context, in frames, that holds the samples and `margin_s` of silence after them.

    Chunks in one bucket share an encoder call, and a result depends only on the chunk's own length, never on
    its batch-mates. Whatever fits no bucket takes the full 30 s, with the margin that is left.
    """
    needed = n_samples / SAMPLE_RATE + margin_s
    return int(next((b for b in buckets_s if b >= needed), MAX_AUDIO_S) * FRAMES_PER_SECOND)


@cache
def _extractor(n_mels: int) -> FeatureExtractor:
    return FeatureExtractor(feature_size=n_mels)


def log_mel(samples: NDArray[np.float32], n_mels: int, frames: int) -> NDArray[np.float32]:
    """Whisper's features: float32, shape (n_mels, frames), 100 frames a second.

    The silence is appended to the samples, as in training, not to the features.
    """
    padded = np.zeros(frames * HOP_LENGTH, np.float32)
    padded[: len(samples)] = samples
    features = _extractor(n_mels)(padded, padding=HOP_LENGTH)[:, :frames]
    return np.ascontiguousarray(features, np.float32)
