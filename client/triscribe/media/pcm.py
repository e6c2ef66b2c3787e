"""Headerless audio to samples, for files and for live audio. Only here: soxr."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from triscribe.errors import AudioError
from triscribe.media import declared
from triscribe.media.declared import Encoding, Header, PcmFormat
from triscribe.media.decoding import Decoded
from triscribe.media.mixing import ChannelLayout, Mixer
from triscribe.media.samples import Recording, invalid_samples
from triscribe.types import SAMPLE_RATE, Notice, Samples

_JUDGED_SAMPLES = 30 * SAMPLE_RATE
"""What is kept to judge the declared rate by."""

_PIECE_BYTES = 1 << 20


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
    """Bytes as they come in to samples at 16 kHz.

    Args:
        pcm: what was declared. A WAV header that agrees with it is passed over.
        split: each channel by itself; else they are mixed as `mixing` tells.
        clip: bring values into [-1, 1]; else that is left to who collects them.
    """

    def __init__(self, pcm: PcmFormat, *, split: bool = False, clip: bool = True) -> None:
        self._pcm = pcm
        self._clip = clip
        self._waiting = b""
        self._header: Header | None = None
        self._left: int | None = None
        self._frames = 0
        self._invalid: list[int] = []
        self._judged: list[Samples] = []
        self._judged_length = 0
        self._mixer = None if split or pcm.channels == 1 else Mixer(ChannelLayout(pcm.channels), pcm.sample_rate)
        self._resampler = None
        if pcm.sample_rate != SAMPLE_RATE:
            channels = pcm.channels if split else 1
            self._resampler = soxr.ResampleStream(pcm.sample_rate, SAMPLE_RATE, channels, dtype="float32", quality="HQ")

    @property
    def mix(self) -> str | None:
        """How channels became one, as in `AudioInfo`."""
        return self._mixer.kind if self._mixer else None

    def push(self, data: bytes) -> NDArray[np.float32]:
        """The samples that `data` completes, shape `(1, n_samples)`, or `(n_channels, n_samples)` when split.

        Raises:
            AudioError: the audio is not what was declared.
        """
        return self._take(self._body(data, is_all=False), last=False)

    def finish(self) -> NDArray[np.float32]:
        """The samples that were still held.

        Raises:
            AudioError: as `push`.
        """
        return self._take(self._body(b"", is_all=True), last=True)

    def notices(self) -> tuple[Notice, ...]:
        """What the caller should know; complete after `finish`."""
        found: list[Notice] = list(self._mixer.notices()) if self._mixer else []
        if self._invalid:
            found.append(invalid_samples(self._invalid, self._pcm.sample_rate))
        if self._waiting:
            left = f"{len(self._waiting)} byte{'s' if len(self._waiting) > 1 else ''} left over"
            end = self._frames / self._pcm.sample_rate
            found.append(Notice("incomplete_sample", f"the audio ends inside a sample: {left}", end, end))
        if self._judged:
            found += declared.suspicious_rate(np.concatenate(self._judged), self._pcm)
        return tuple(found)

    def _body(self, data: bytes, *, is_all: bool) -> bytes:
        """The whole samples of every channel that are complete now."""
        self._waiting += data
        if self._header is None:
            self._header = declared.header(self._waiting, self._pcm, is_all=is_all)
            if self._header is None:
                return b""
            self._waiting, self._left = self._waiting[self._header.size :], self._header.data_bytes
        if self._left is not None:  # what follows the samples in a WAV file is none
            self._waiting = self._waiting[: self._left]
        whole = len(self._waiting) - len(self._waiting) % self._pcm.frame_bytes
        body, self._waiting = self._waiting[:whole], self._waiting[whole:]
        if self._left is not None:
            self._left -= whole
        return body

    def _take(self, body: bytes, *, last: bool) -> NDArray[np.float32]:
        channels = self._values(body)
        if self._mixer is not None:
            mono = [self._mixer.push(channels), *([self._mixer.finish()] if last else [])]
            channels = np.concatenate(mono)[None]
        if self._resampler is not None:
            resampled = self._resampler.resample_chunk(np.ascontiguousarray(channels.T), last=last)
            channels = resampled.reshape(-1, len(channels)).T
        if self._judged_length < _JUDGED_SAMPLES:
            self._judged.append(channels[0].copy())
            self._judged_length += channels.shape[1]
        return channels

    def _values(self, body: bytes) -> NDArray[np.float32]:
        """Numbers of shape `(n_channels, n_frames)`."""
        encoding = self._pcm.encoding
        values: NDArray[np.float32]
        if encoding == "linear16":
            values = np.frombuffer(body, dtype="<i2").astype(np.float32) / np.float32(32768)
        elif encoding == "float32":
            values = np.frombuffer(body, dtype="<f4").astype(np.float32)
        else:
            values = _TABLES[encoding][np.frombuffer(body, dtype=np.uint8)]
        channels = values.reshape(-1, self._pcm.channels)
        if encoding == "float32":
            wrong = np.flatnonzero(~np.isfinite(channels).all(axis=1))
            if len(wrong):
                self._invalid += [self._frames + int(wrong[0]), self._frames + int(wrong[-1]) + 1]
                channels = np.nan_to_num(channels, nan=0.0, posinf=0.0, neginf=0.0)
        self._frames += len(channels)
        return (np.clip(channels, -1.0, 1.0) if self._clip else channels).T


def decode(file: BinaryIO, label: str, pcm: PcmFormat, limit: int, *, split: bool) -> tuple[Decoded, ...]:
    """All samples of a file without a header.

    Args:
        file: is read to its end.
        label: how messages call it.
        pcm: what was declared.
        limit: most samples a channel.
        split: each channel by itself.

    Returns:
        One, or one for each channel.

    Raises:
        AudioError: it is not what was declared, or holds nothing.
        AudioTooLongError: it is longer than `limit`.
    """
    stream = PcmStream(pcm, split=split, clip=False)
    recordings = [Recording(label, limit) for _ in range(pcm.channels if split else 1)]

    def keep(channels: NDArray[np.float32]) -> None:
        for recording, samples in zip(recordings, channels, strict=True):
            recording.append(samples)

    while piece := file.read(_PIECE_BYTES):
        keep(stream.push(piece))
    keep(stream.finish())
    if not recordings[0].length:
        raise AudioError(f"{label} ends before any audio")
    finished = [recording.finish() for recording in recordings]
    return tuple(Decoded(samples, (*stream.notices(), *more), None, stream.mix) for samples, more in finished)
