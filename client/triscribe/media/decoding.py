"""Decoding: any media file to mono samples at 16 kHz. The only module that imports PyAV.

ffmpeg never sees a path or an address. It reads from a file object opened here, and whatever a media file refers to
(playlists, concat scripts, session descriptions, external tracks) stays closed: see `container`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.error import FFmpegError
from av.filter import Graph

from triscribe.errors import AudioError
from triscribe.media.container import REASONS, open_container
from triscribe.media.samples import Recording
from triscribe.media.source import MediaSource, open_source
from triscribe.types import SAMPLE_RATE, Notice, Samples

MIN_SAMPLE_RATE = 1_000
"""Hz. Below it a small file would grow without bound in the resampler, and holds no speech."""

MAX_SAMPLE_RATE = 3_000_000
"""Hz. DSD512 decodes to 2.8 MHz; beyond, the resampler's filter alone takes hundreds of megabytes."""

MAX_CHANNELS = 8
"""Channels that can be decoded separately: 7.1 sound. Each takes 230 MB an hour."""

_BLOCK = SAMPLE_RATE
"""Samples that leave the resampler at once."""

_GAP_S = 0.5
"""Timestamps that jump ahead by less are jitter."""

_LONGEST_GAP_S = 300.0
"""Timestamps that jump ahead by more are a new clock, not missing audio."""

_FILL_ALLOWANCE_S = 600.0
"""Silence that may be filled in beyond the audio really decoded, so that lying timestamps cost little."""

_SHORTFALL_S = 0.5
_SHORTFALL_SHARE = 0.02
"""A file counts as cut off when it lacks more than both; headers are often off by a frame or a rounding."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The audio of one file, and what the caller should know about it.

    `notices` may hold `truncated_audio` (the file ends before its header says), `damaged_audio` (packets that could
    not be decoded; silence stands in for them where timestamps tell how long they were), `invalid_samples` (NaN or
    infinity, set to zero) and `rescaled_audio` (the whole file was divided by its peak).
    """

    samples: Samples
    notices: tuple[Notice, ...] = ()


def decode(source: str | Path | bytes | BinaryIO, *, max_duration_s: float | None = None) -> Decoded:
    """Decodes the default audio track of a media file.

    Channels are mixed down and the rate converted by libswresample. Times in the result equal the media's own
    timeline: a track that starts after the video, or a gap inside it, becomes silence.

    Args:
        source: a file's path ("-" is standard input), its bytes, or a binary file object, which is read from its
            start where it can seek, and left open.
        max_duration_s: refuse audio longer than this many seconds, whatever the file declares.

    Returns:
        Samples of shape `(n_samples,)`, never empty, in [-1, 1].

    Raises:
        AudioError: not media, no audio, not decodable, too long, or not a regular file; the text says which.
    """
    return _decode(source, max_duration_s, split=False)[0]


def decode_channels(
    source: str | Path | bytes | BinaryIO, *, max_duration_s: float | None = None
) -> tuple[Decoded, ...]:
    """The same, with each channel by itself, in the order of the file; in one pass, so memory grows by channels.

    Raises:
        AudioError: as `decode`; or there are more than `MAX_CHANNELS`, or their number changes on the way.
    """
    return _decode(source, max_duration_s, split=True)


def _decode(source: str | Path | bytes | BinaryIO, max_duration_s: float | None, *, split: bool) -> tuple[Decoded, ...]:
    limit = None if max_duration_s is None else round(max_duration_s * SAMPLE_RATE)
    with open_source(source) as media, open_container(media) as container:
        stream = container.streams.best("audio")
        if stream is None:
            raise AudioError(f"{media.label} holds no audio track")
        if stream.codec_context is None:
            raise AudioError(f"{media.label} {REASONS['DecoderNotFoundError']}")
        count = stream.codec_context.channels if split else 1
        if not 0 < count <= MAX_CHANNELS:
            raise AudioError(f"{media.label} has {count} channels; 1 to {MAX_CHANNELS} can be told apart")
        recordings = [Recording(media.label, limit) for _ in range(count)]
        notices = _decode_stream(container, stream, recordings)
        if not recordings[0].length:
            raise AudioError(f"nothing in {media.label} can be decoded")
        duration = recordings[0].duration
        expected_s = max(_declared_s(container, stream), duration + _missing_s(media, stream))
        notices += _shortfall(duration, expected_s)
        finished = [recording.finish() for recording in recordings]
        return tuple(Decoded(samples, (*notices, *more)) for samples, more in finished)


def declared_length_s(source: bytes | BinaryIO) -> float:
    """Seconds that the header of a media file says its audio lasts; 0 where it does not say, or is no media."""
    try:
        with open_source(source) as media, open_container(media) as container:
            stream = container.streams.best("audio")
            return _declared_s(container, stream) if stream else 0.0
    except AudioError:
        return 0.0


def _decode_stream(
    container: av.container.InputContainer, stream: av.AudioStream, recordings: Sequence[Recording]
) -> tuple[Notice, ...]:
    """Decodes all that can be decoded, and reports what could not."""
    timeline = _Timeline(recordings, None if container.start_time is None else container.start_time / av.time_base)
    damage: list[tuple[float, float]] = []
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except FFmpegError:
                length_s = float((packet.duration or 0) * packet.time_base)
                damage.append((timeline.position, timeline.position + length_s))
                continue
            for frame in frames:
                timeline.push(frame)
    except FFmpegError:  # the container breaks off
        damage.append((timeline.position, timeline.position))
    timeline.flush()
    if not damage:
        return ()
    message = f"parts of the audio are damaged and could not be decoded ({len(damage)})"
    return (Notice("damaged_audio", message, damage[0][0], damage[-1][1]),)


class _Timeline:
    """Resamples frames and lays them down where their timestamps say: mixed for one recording, else each channel."""

    def __init__(self, recordings: Sequence[Recording], start_s: float | None) -> None:
        self._recordings = recordings
        self._recording = recordings[0]
        self._clock = start_s
        self.position = 0.0  # seconds laid down, those still in the resampler included
        self._filled_s = 0.0
        self._graph: Graph | None = None
        self._source_format: tuple[str, str, int] | None = None

    def push(self, frame: av.AudioFrame) -> None:
        if not MIN_SAMPLE_RATE <= frame.sample_rate <= MAX_SAMPLE_RATE:
            raise AudioError(f"{self._recording.label} has an impossible sample rate of {frame.sample_rate} Hz")
        if len(self._recordings) not in (1, frame.layout.nb_channels):
            raise AudioError(f"{self._recording.label} changes the number of its channels on the way")
        self._keep_time(frame)
        # Broadcasts and chained files change rate or layout on the way; a resampler takes one of them.
        source_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source_format != self._source_format:
            self.flush()
            self._source_format = source_format
        if self._graph is None:
            self._graph = _resampler(frame, mixed=len(self._recordings) == 1)
        self._graph.push(frame)
        self._drain(self._graph)

    def flush(self) -> None:
        """Takes out what the resampler still holds; the next frame starts a new one."""
        if self._graph is not None:
            self._graph.push(None)
            self._drain(self._graph)
            self._graph = None

    def _keep_time(self, frame: av.AudioFrame) -> None:
        time = frame.time
        if time is not None:
            gap = 0.0 if self._clock is None else time - self._clock
            allowance = _FILL_ALLOWANCE_S + self._recording.duration
            if _GAP_S < gap <= _LONGEST_GAP_S and self._filled_s + gap <= allowance:
                self.flush()
                for recording in self._recordings:
                    recording.append(np.zeros(round(gap * SAMPLE_RATE), dtype=np.float32))
                self._filled_s += gap
                self.position += gap
            if self._clock is None or abs(gap) > _GAP_S:
                self._clock = time
        length_s = frame.samples / frame.sample_rate
        self.position += length_s
        if self._clock is not None:
            self._clock += length_s

    def _drain(self, graph: Graph) -> None:
        while True:
            try:
                block = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            for recording, channel in zip(self._recordings, block.to_ndarray(), strict=True):
                recording.append(channel)


def _resampler(frame: av.AudioFrame, *, mixed: bool) -> Graph:
    # Not av.AudioResampler: libswresample leaves a mix-down to float unscaled (two equal channels come out 3 dB
    # louder and clip) unless rematrix_maxval says otherwise.
    graph = Graph()
    source = graph.add(
        "abuffer",
        sample_rate=str(frame.sample_rate),
        sample_fmt=frame.format.name,
        channel_layout=frame.layout.name,
        time_base=str(frame.time_base or f"1/{frame.sample_rate}"),
    )
    layout = "mono" if mixed else frame.layout.name
    resample = graph.add("aresample", f"{SAMPLE_RATE}:rematrix_maxval=1.0")
    shape = graph.add("aformat", sample_fmts="fltp", sample_rates=str(SAMPLE_RATE), channel_layouts=layout)
    sink = graph.add("abuffersink")
    source.link_to(resample)
    resample.link_to(shape)
    shape.link_to(sink)
    graph.configure()
    graph.set_audio_frame_size(_BLOCK)
    return graph


def _declared_s(container: av.container.InputContainer, stream: av.AudioStream) -> float:
    """How long the file says that the track is; 0 where it does not say, or only says it of the video."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d*)?)", stream.metadata.get("DURATION", ""))
    if tag:  # Matroska
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    if container.duration is None or container.streams.video:
        return 0.0
    return float(container.duration / av.time_base)


def _missing_s(media: MediaSource, stream: av.AudioStream) -> float:
    # ffmpeg corrects the length of a cut-off WAV by the file's size, and then nothing tells that it was cut off.
    missing = media.missing_bytes()
    bit_rate = stream.codec_context.bit_rate
    return 8 * missing / bit_rate if bit_rate else 0.0


def _shortfall(duration: float, expected: float) -> tuple[Notice, ...]:
    if expected - duration <= max(_SHORTFALL_S, _SHORTFALL_SHARE * expected):
        return ()
    message = f"the file ends at {duration:.1f} s although it should last {expected:.1f} s"
    return (Notice("truncated_audio", message, duration, expected),)
