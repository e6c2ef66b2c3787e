"""Recordings with their reference texts, as they come and under worse conditions that are made from them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from triscribe.media import decoding
from triscribe.types import SAMPLE_RATE, Samples

GAP_S = 1.0
"""Silence between the recordings of a joined one."""

_NOISE_DB = 8.0
"""Level of the voice over the noise: a busy street behind a telephone."""

_ROOM_S = 0.12
"""Time in which the echo of the room falls to 1/e: 0.8 s to -60 dB, a hall."""


@dataclass(frozen=True)
class Recording:
    """One recording with its reference; samples are float32 at 16 kHz, shape (n,)."""

    name: str
    language: str
    reference: str
    samples: Samples
    speaker: str = ""


def load(folder: Path, languages: set[str]) -> list[Recording]:
    """The recordings of a manifest, decoded once for all sides."""
    entries = json.loads((folder / "manifest.json").read_text())
    return [
        Recording(
            f"{folder.name}/{e['audio']}",
            e["lang"],
            e["text"],
            decoding.decode(folder / e["audio"]).samples,
            str(e.get("speaker", e["audio"])),
        )
        for e in entries
        if e.get("text") and (not languages or e["lang"] in languages)
    ]


def join(recordings: Sequence[Recording]) -> Recording:
    """All recordings one after the other, a pause between two."""
    pause = np.zeros(int(GAP_S * SAMPLE_RATE), np.float32)
    pieces = [piece for recording in recordings for piece in (recording.samples, pause)]
    text = " ".join(recording.reference for recording in recordings)
    return Recording("joined", recordings[0].language, text, np.concatenate([pause, *pieces]))


def noisy(recording: Recording) -> Recording:
    """With noise that falls off above 2 kHz, 8 dB below the voice."""
    voice = recording.samples
    hiss = _random(recording, "noise").standard_normal(len(voice) + SAMPLE_RATE)
    noise = sosfilt(butter(1, 2000, fs=SAMPLE_RATE, output="sos"), hiss)[SAMPLE_RATE:]
    noise *= np.sqrt(np.mean(voice**2) / np.mean(noise**2) / 10 ** (_NOISE_DB / 10))
    return _changed(recording, "noise", voice + noise)


def telephone(recording: Recording) -> Recording:
    """300 to 3400 Hz in 49 steps of a companded scale: worse than G.711, as a bad line is."""
    band = sosfilt(butter(4, (300, 3400), "bandpass", fs=SAMPLE_RATE, output="sos"), recording.samples)
    band *= 0.5 / max(np.abs(band).max(), 1e-6)
    steps = np.round(24 * np.sign(band) * np.log1p(255 * np.abs(band)) / np.log(256)) / 24
    return _changed(recording, "telephone", np.sign(steps) * (256 ** np.abs(steps) - 1) / 255)


def hall(recording: Recording) -> Recording:
    """In an echoing room, the microphone away from the mouth."""
    random = _random(recording, "hall")
    echo = random.standard_normal(int(5 * _ROOM_S * SAMPLE_RATE))
    echo *= np.exp(-np.arange(len(echo)) / (_ROOM_S * SAMPLE_RATE))
    echo[0] = 4.0
    heard = fftconvolve(recording.samples, echo)[: len(recording.samples)]
    return _changed(recording, "hall", 0.3 * heard / np.abs(heard).max() + 0.001 * random.standard_normal(len(heard)))


CONDITIONS: dict[str, Callable[[Recording], Recording]] = {"noise": noisy, "telephone": telephone, "hall": hall}
"""What can be made of a recording."""


def _random(recording: Recording, kind: str) -> np.random.Generator:
    """The same for a recording in every run."""
    return np.random.default_rng(zlib.crc32(f"{recording.name} {kind}".encode()))


def _changed(recording: Recording, kind: str, samples: Samples) -> Recording:
    samples = (samples / max(1.0, float(np.abs(samples).max()))).astype(np.float32)
    return replace(recording, name=f"{recording.name} ({kind})", samples=samples)
