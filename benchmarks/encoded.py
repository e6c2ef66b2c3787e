"""Audio as callers send it: 16-bit samples, and a WAV file of them."""

from __future__ import annotations

import wave
from io import BytesIO

import numpy as np

from triscribe.types import SAMPLE_RATE, Samples


def pcm16(samples: Samples) -> bytes:
    """As 16-bit samples."""
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def wav(samples: Samples) -> bytes:
    """As a WAV file."""
    file = BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(pcm16(samples))
    return file.getvalue()
