"""Media files as bytes, in any codec and container."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from triscribe.media.declared import ENCODINGS, PcmFormat
from triscribe.types import SAMPLE_RATE, Samples

_FRAME = 960


def tone(seconds: float = 2.0, rate: int = SAMPLE_RATE, frequency: float = 440.0) -> Samples:
    """A sine at half of full scale."""
    wave: Samples = (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(np.float32)
    return wave


def wav(samples: NDArray[np.float32], rate: int = SAMPLE_RATE, *, float32: bool = False) -> bytes:
    """A WAV file's bytes; `samples` of shape (n,) or (n, channels)."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    data = (samples.astype("<f4") if float32 else np.round(samples * 32767).astype("<i2")).tobytes()
    return wav_of(PcmFormat("float32" if float32 else "linear16", rate, channels), data)


def wav_of(pcm: PcmFormat, data: bytes) -> bytes:
    """Samples with the header of a WAV file."""
    tag, width = ENCODINGS[pcm.encoding]
    bytes_a_second = pcm.sample_rate * pcm.frame_bytes
    form = struct.pack("<HHIIHH", tag, pcm.channels, pcm.sample_rate, bytes_a_second, pcm.frame_bytes, 8 * width)
    length, size = struct.pack("<I", len(data) + 36), struct.pack("<I", len(data))
    return b"RIFF" + length + b"WAVEfmt \x10\0\0\0" + form + b"data" + size + data


def encode(
    codec: str,
    container: str,
    samples: Samples,
    rate: int,
    *,
    video: bool = False,
    layout: str = "mono",
    offset_s: float = 0.0,
    gap_at: tuple[float, float] | None = None,
) -> bytes:
    """A media file's bytes, the same on every channel.

    `offset_s` delays the audio track; `gap_at` (start, length in s) skips timestamps.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        picture: Any = output.add_stream("mpeg4", rate=10) if video else None
        if video:
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
        stream: Any = output.add_stream(codec, rate=rate, layout=layout)
        if video:
            for i in range(int(10 * (len(samples) / rate + offset_s))):
                frame = av.VideoFrame(32, 32, "yuv420p")
                frame.pts, frame.time_base = i, Fraction(1, 10)
                output.mux(picture.encode(frame))
            output.mux(picture.encode(None))

        def placed(start: int) -> int:
            skipped = gap_at[1] if gap_at and start >= gap_at[0] * rate else 0.0
            return start + int((offset_s + skipped) * rate)

        fill(output, stream, np.repeat(samples[None], len(stream.layout.channels), axis=0), rate, layout, placed)
    return file.getvalue()


def fill(
    output: av.container.OutputContainer,
    stream: Any,
    channels: NDArray[np.float32],
    rate: int,
    layout: str,
    placed: Callable[[int], int] = lambda start: start,
) -> None:
    """Encode all of a track.

    Args:
        output: takes the packets.
        stream: of `output`.
        channels: shape (n_channels, n_samples).
        rate: of the samples, in Hz; that of the stream may be another.
        layout: of the channels.
        placed: the timestamp of each sample, in samples.
    """
    resampler = av.AudioResampler(format=stream.format, layout=layout, rate=stream.rate)
    for start in range(0, channels.shape[1], _FRAME):
        part = np.ascontiguousarray(channels[:, start : start + _FRAME])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), placed(start)
        for converted in resampler.resample(frame):
            output.mux(stream.encode(converted))
    if rate != stream.rate:
        for converted in resampler.resample(None):
            output.mux(stream.encode(converted))
    output.mux(stream.encode(None))
