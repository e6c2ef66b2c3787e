"""What headerless audio really is: callers declare samples and send a file, or with the wrong rate."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from triscribe.errors import AudioError
from triscribe.media.source import UNKNOWN_RIFF_SIZE
from triscribe.types import SAMPLE_RATE, Notice, Samples

Encoding = Literal["linear16", "float32", "mulaw", "alaw"]

ENCODINGS: dict[Encoding, tuple[int, int]] = {"linear16": (1, 2), "float32": (3, 4), "alaw": (6, 1), "mulaw": (7, 1)}
"""The tag in a WAV header, and bytes of a sample."""

MIN_HEAD_BYTES = 16
"""Enough to tell by, but for the formats that are told by several frames in a row."""

MAX_HEAD_BYTES = 65_536
"""A header of a WAV file that is longer than this is not looked for."""

_EXTENSIBLE = 0xFFFE
_FRAMES = 3
"""Frames in a row that make MP3 or AAC: samples look like one of them once in a while."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg"),
    (0, b"\x1a\x45\xdf\xa3", "WebM or Matroska"),
    (4, b"ftyp", "MP4 or M4A"),
    (0, b"caff\x00", "CAF"),
    (0, b".snd\x00", "AU"),
    (0, b"#!AMR", "AMR"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC \x96\x0f", "Monkey's Audio"),
    (0, b"riff\x2e\x91\xcf\x11", "Wave64"),
)

_MP3_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_LOW_KBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MP3_RATES = (44_100, 48_000, 32_000)
"""Layer III of MPEG-1 and of MPEG-2, ISO/IEC 11172-3 and 13818-3."""

_LOWEST_VOICE, _HIGHEST_VOICE = 75.0, 330.0
"""Hz. The median pitch of speech is 85 to 260 from deep men to children; of recordings played at half the speed 35 to
100, at twice 250 to 500."""

_VOICED = 0.5
"""Autocorrelation of a frame with a pitch."""

_VOICED_FRAMES = 30
"""Two seconds of voice, before anything is said about its pitch."""

_USUAL_RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """Interleaved little-endian samples."""

    encoding: Encoding
    sample_rate: int = SAMPLE_RATE
    channels: int = 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return ENCODINGS[self.encoding][1] * self.channels

    def __str__(self) -> str:
        plural = "s" if self.channels > 1 else ""
        return f"{self.encoding.upper()} at {self.sample_rate} Hz, {self.channels} channel{plural}"


@dataclass(frozen=True, slots=True)
class Header:
    """Bytes before the samples, and how many bytes of samples follow; None: to the end."""

    size: int
    data_bytes: int | None


NO_HEADER = Header(0, None)


def header(head: bytes, pcm: PcmFormat, *, is_all: bool) -> Header | None:
    """What stands before the samples.

    Args:
        head: how the audio begins.
        pcm: what was declared.
        is_all: nothing comes after `head`.

    Returns:
        None where more has to be read first.

    Raises:
        AudioError: it is a file of another format, or a WAV file that says something else than was declared.
    """
    if len(head) < MIN_HEAD_BYTES and not is_all:
        return None
    is_wav = head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"
    if not is_wav:
        if kind := _kind(head):
            raise AudioError(f"declared as {pcm}, but it looks like {kind}: leave the declaration out to send a file")
        return None if _may_be_frames(head) and not is_all and len(head) < MAX_HEAD_BYTES // 8 else NO_HEADER
    found = _wav(head)
    if found is None:
        if is_all or len(head) >= MAX_HEAD_BYTES:
            raise AudioError(f"declared as {pcm}, but it looks like a WAV file without samples")
        return None
    theirs, size, data_bytes = found
    if theirs != pcm:
        said = str(theirs) if theirs else "samples of another encoding"
        raise AudioError(f"declared as {pcm}, but it looks like a WAV file of {said}")
    return Header(size, data_bytes)


def suspicious_rate(samples: Samples, pcm: PcmFormat) -> tuple[Notice, ...]:
    """A notice where the pitch of voices tells that the rate was declared wrongly.

    Args:
        samples: mono, 16 kHz, shape `(n_samples,)`; half a minute is plenty.
        pcm: what was declared.
    """
    pitch = _median_pitch(samples)
    if pitch is None or _LOWEST_VOICE <= pitch <= _HIGHEST_VOICE:
        return ()
    likely = [rate for rate in _USUAL_RATES if 85.0 <= pitch * rate / pcm.sample_rate <= 260.0]
    rates = " or ".join(f"{rate}" for rate in likely if rate != pcm.sample_rate)
    speed = "slower" if pitch < _LOWEST_VOICE else "faster"
    message = f"voices sound {speed} than anybody speaks: {pcm.sample_rate} Hz were declared"
    return (Notice("suspicious_sample_rate", f"{message}, it may be {rates}" if rates else message),)


def _kind(head: bytes) -> str | None:
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if head[:3] == b"ID3" and len(head) >= 10 and head[3] < 5 and head[5] & 15 == 0 and max(head[6:10]) < 128:
        return "MP3"
    if _are_frames(head, _mp3_frame):
        return "MP3"
    return "AAC" if _are_frames(head, _adts_frame) else None


def _may_be_frames(head: bytes) -> bool:
    """Whether it begins like a frame, and ends before it could be told."""
    return any(_follow(head, length)[1] for length in (_mp3_frame, _adts_frame))


def _are_frames(head: bytes, length: Callable[[bytes], int]) -> bool:
    return _follow(head, length)[0] >= _FRAMES


def _follow(head: bytes, length: Callable[[bytes], int]) -> tuple[int, bool]:
    """How many frames stand in a row, and whether the next one may lie beyond the end."""
    position = count = 0
    while count < _FRAMES:
        if position + 8 > len(head):
            return count, count > 0
        step = length(head[position : position + 8])
        if not step:
            return count, False
        position, count = position + step, count + 1
    return count, False


def _mp3_frame(head: bytes) -> int:
    """Bytes of the frame of Layer III that begins here; 0 where none does."""
    if head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, bits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bits in (0, 15) or rate == 3:
        return 0
    is_first = version == 3
    kbits = (_MP3_KBITS if is_first else _MP3_LOW_KBITS)[bits]
    hertz = _MP3_RATES[rate] >> (0 if is_first else 1 if version == 2 else 2)
    return (144 if is_first else 72) * kbits * 1000 // hertz + (head[2] >> 1 & 1)


def _adts_frame(head: bytes) -> int:
    """Bytes of the frame of ADTS that begins here; 0 where none does."""
    if head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else 0


def _wav(head: bytes) -> tuple[PcmFormat | None, int, int | None] | None:
    """What a WAV header says, its length, and the length of its samples; None where it goes on beyond the end."""
    pcm: PcmFormat | None = None
    position = 12
    while position + 8 <= len(head):
        name, (size,) = head[position : position + 4], struct.unpack_from("<I", head, position + 4)
        position += 8
        if name == b"data":
            return pcm, position, size if 0 < size < UNKNOWN_RIFF_SIZE else None
        if name == b"fmt " and position + 16 <= len(head):
            pcm = _wav_format(head[position : position + min(size, 40)])
        position += size + size % 2
    return None


def _wav_format(chunk: bytes) -> PcmFormat | None:
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    found = [encoding for encoding, (number, width) in ENCODINGS.items() if (number, 8 * width) == (tag, bits)]
    return PcmFormat(found[0], rate, channels) if found else None


def _median_pitch(samples: Samples) -> float | None:
    """Hz, by the autocorrelation of 64 ms each; None where there is little voice."""
    size = 1024
    frames = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float64)
    if not len(frames):
        return None
    energy = np.square(frames).mean(axis=1)
    frames = frames[energy > max(1e-6, np.percentile(energy, 60))]
    frames -= frames.mean(axis=1, keepdims=True)
    products = np.fft.irfft(np.square(np.abs(np.fft.rfft(frames, 2 * size))))[:, :size]
    scale = np.maximum(products[:, :1], 1e-12) * (1 - np.arange(size) / size)
    lags = np.arange(16, 700)  # 1000 Hz to 23 Hz
    similar = products[:, lags] / scale[:, lags]
    voiced = lags[similar.argmax(axis=1)][similar.max(axis=1) > _VOICED]
    return SAMPLE_RATE / float(np.median(voiced)) if len(voiced) >= _VOICED_FRAMES else None
