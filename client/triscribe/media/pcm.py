"""Headerless audio: a WAV header for the decoder, and a stream of samples for live audio. Only here: soxr."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from triscribe.errors import InvalidArgumentError
from triscribe.types import SAMPLE_RATE, Samples

Encoding = Literal["linear16", "float32", "mulaw", "alaw"]

_WAV_TAGS: dict[Encoding, int] = {"linear16": 1, "float32": 3, "alaw": 6, "mulaw": 7}
_WIDTHS: dict[Encoding, int] = {"linear16": 2, "float32": 4, "alaw": 1, "mulaw": 1}
_UNKNOWN_SIZE = 0xFFFF_FFFF
"""What programs write that cannot know the length; the decoder then reads to the end."""


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """Interleaved little-endian samples."""

    encoding: Encoding
    sample_rate: int = SAMPLE_RATE
    channels: int = 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return _WIDTHS[self.encoding] * self.channels

    def wav_header(self, data_bytes: int) -> bytes:
        """44 bytes that make a WAV file of `data_bytes` bytes of samples."""
        size = min(data_bytes, _UNKNOWN_SIZE - 36)
        width = _WIDTHS[self.encoding]
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            size + 36,
            b"WAVE",
            b"fmt ",
            16,
            _WAV_TAGS[self.encoding],
            self.channels,
            self.sample_rate,
            self.sample_rate * self.frame_bytes,
            self.frame_bytes,
            8 * width,
            b"data",
            size,
        )


def _mulaw_table() -> NDArray[np.float32]:
    """ITU-T G.711 µ-law to [-1, 1]: 4 bits on a chord of 8, bias 33 of 14-bit values."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    magnitude = (((mantissa << 1) + 33) << exponent.astype(np.int32)) - 33
    return (np.where(code & 128, -magnitude, magnitude) / 8192).astype(np.float32)


def _alaw_table() -> NDArray[np.float32]:
    """ITU-T G.711 A-law to [-1, 1]: even bits inverted, 13-bit values."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    linear = (mantissa << 1) + 1
    magnitude = np.where(exponent == 0, linear, (linear + 32) << np.maximum(exponent - 1, 0))
    return (np.where(code & 128, magnitude, -magnitude) / 4096).astype(np.float32)


_TABLES: dict[Encoding, NDArray[np.float32]] = {"mulaw": _mulaw_table(), "alaw": _alaw_table()}


class PcmStream:
    """Bytes as they come in to mono samples at 16 kHz."""

    def __init__(self, pcm: PcmFormat) -> None:
        self._pcm = pcm
        self._rest = b""
        self._resampler = None
        if pcm.sample_rate != SAMPLE_RATE:
            self._resampler = soxr.ResampleStream(pcm.sample_rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")

    def push(self, data: bytes) -> Samples:
        """The samples, shape `(n_samples,)`, that `data` completes; what is no number becomes 0."""
        data = self._rest + data
        whole = len(data) - len(data) % self._pcm.frame_bytes
        self._rest = data[whole:]
        return self._resampled(self._mono(data[:whole]), last=False)

    def finish(self) -> Samples:
        """The samples that the resampler still held.

        Raises:
            InvalidArgumentError: the audio ends inside a sample.
        """
        if self._rest:
            raise InvalidArgumentError("the audio ends inside a sample", field="audio")
        return self._resampled(np.empty(0, dtype=np.float32), last=True)

    def _mono(self, data: bytes) -> Samples:
        encoding = self._pcm.encoding
        values: Samples
        if encoding == "linear16":
            values = np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768)
        elif encoding == "float32":
            values = np.nan_to_num(np.frombuffer(data, dtype="<f4"), nan=0.0, posinf=0.0, neginf=0.0)
        else:
            values = _TABLES[encoding][np.frombuffer(data, dtype=np.uint8)]
        mono: Samples = np.clip(values, -1.0, 1.0).reshape(-1, self._pcm.channels).mean(axis=1, dtype=np.float32)
        return mono

    def _resampled(self, samples: Samples, *, last: bool) -> Samples:
        if self._resampler is None:
            return samples
        resampled: Samples = self._resampler.resample_chunk(samples, last=last)
        return resampled
