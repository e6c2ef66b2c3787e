"""Real speech of several lengths, and audio as callers send it."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from triscribe.errors import AudioError, UsageError
from triscribe.media import decoding
from triscribe.models import ModelStore
from triscribe.speech import chunking, vad
from triscribe.types import SAMPLE_RATE, Samples

SAMPLE_CUTS_S = (
    (6.6, 9.6),
    (10.0, 16.0),
    (21.9, 24.0),
    (6.6, 16.0),
    (16.0, 20.0),
    (6.6, 29.6),
    (12.0, 24.0),
    (23.5, 29.5),
)
"""Stretches of the sample conversation, 2 to 23 s long, as (start, end)."""

MEDIA = {".wav", ".flac", ".mp3", ".m4a", ".mp4", ".ogg", ".opus", ".webm", ".mkv", ".aac"}


def clips(sources: Sequence[Path], count: int) -> list[Samples]:
    """What is to be sent: float32 arrays of shape (n,) at 16 kHz, none longer than a request may be.

    Args:
        sources: media files and folders of such, cut as the client cuts them; none means the sample conversation.
        count: at most so many of the pieces, evenly from all of them.

    Raises:
        UsageError: no speech was found.
    """
    if not sources:
        samples = conversation()
        return [samples[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)] for start, end in SAMPLE_CUTS_S][:count]
    found = [piece for path in _files(sources) for piece in _pieces(path)]
    if not found:
        raise UsageError(f"No speech was found in {', '.join(map(str, sources))}.")
    return [found[index] for index in np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)]


def conversation(minutes: float = 0.5) -> Samples:
    """The sample conversation, over and over: real speech of any length (whole half minutes)."""
    samples = decoding.decode(ModelStore().pull("sample-conversation") / "sample.wav").samples
    return np.tile(samples, max(1, round(minutes * 60 * SAMPLE_RATE / len(samples))))


def _files(sources: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for source in sources:
        if not source.exists():
            raise UsageError(f"{source} does not exist.")
        inside = sorted(path for path in source.rglob("*") if path.suffix.lower() in MEDIA)
        files += inside if source.is_dir() else [source]
    return files


def _pieces(path: Path) -> list[Samples]:
    try:
        samples = decoding.decode(path).samples
    except AudioError as error:
        raise UsageError(f"{path}: {error}") from error
    return [chunk.samples for chunk in chunking.cut(samples, vad.speech_spans(samples))]


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
