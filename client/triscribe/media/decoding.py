"""Decoding: any media file to mono samples at 16 kHz.

ffmpeg never sees a path or an address. It reads from a file object opened here, and whatever a media file refers to
(playlists, concat scripts, session descriptions, external tracks) stays closed: see `container`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import av
from av.error import FFmpegError

from triscribe.errors import AudioError
from triscribe.media import tracks
from triscribe.media.container import REASONS, open_container
from triscribe.media.samples import Recording
from triscribe.media.source import MediaSource, open_source
from triscribe.media.timeline import Timeline
from triscribe.types import SAMPLE_RATE, AudioTrack, Notice, Samples

MAX_CHANNELS = 8
"""Channels that can be decoded separately: 7.1 sound. Each takes 230 MB an hour."""

_SHORTFALL_S = 0.5
_SHORTFALL_SHARE = 0.02
"""A file counts as cut off when it lacks more than both; headers are often off by a frame or a rounding."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The audio of one file, and what the caller should know about it.

    `notices` may hold `truncated_audio` (the file ends before its header says), `damaged_audio` (packets that could
    not be decoded; silence stands in for them where timestamps tell how long they were), `invalid_samples` (NaN or
    infinity, set to zero), `rescaled_audio` (the whole file was divided by its peak), `mixed_channels` (not the mean
    of all), `other_audio_tracks` and `undecodable_audio_track`. For `track` and `mix` see `AudioInfo`.
    """

    samples: Samples
    notices: tuple[Notice, ...] = ()
    track: AudioTrack | None = None
    mix: str | None = None


def decode(
    source: str | Path | bytes | BinaryIO, *, max_duration_s: float | None = None, track: str | None = None
) -> Decoded:
    """Decodes one audio track of a media file.

    Channels are mixed down as `mixing` tells, and libswresample converts the rate. Times in the result equal the
    media's own timeline: a track that starts after the video, or a gap inside it, becomes silence.

    Args:
        source: a file's path ("-" is standard input), its bytes, or a binary file object, which is read from its
            start where it can seek, and left open.
        max_duration_s: refuse audio longer than this many seconds, whatever the file declares.
        track: number from 1 or language of the audio track; None: the default one, else one that can be decoded.

    Returns:
        Samples of shape `(n_samples,)`, never empty, in [-1, 1].

    Raises:
        AudioError: not media, no audio, no such track, not decodable, too long, or not a regular file; the text says
            which.
    """
    return _decode(source, max_duration_s, track, split=False)[0]


def decode_channels(
    source: str | Path | bytes | BinaryIO, *, max_duration_s: float | None = None, track: str | None = None
) -> tuple[Decoded, ...]:
    """The same, with each channel by itself, in the order of the file; in one pass, so memory grows by channels.

    Raises:
        AudioError: as `decode`; or there are more than `MAX_CHANNELS`, or their number changes on the way.
    """
    return _decode(source, max_duration_s, track, split=True)


def _decode(
    source: str | Path | bytes | BinaryIO, max_duration_s: float | None, wanted: str | None, *, split: bool
) -> tuple[Decoded, ...]:
    limit = None if max_duration_s is None else round(max_duration_s * SAMPLE_RATE)
    with open_source(source) as media, open_container(media) as container:
        usable, notices = tracks.choose(container, media.label, wanted)
        has_packets = False
        for number, (stream, track) in enumerate(usable):
            if number:
                container.seek(0)
            read = _read(container, stream, media.label, limit, split=split)
            if read.recordings[0].length:
                break
            has_packets = has_packets or read.packets > 0
            notices += tracks.passed_over(track)
        else:
            reason = "holds nothing that can be decoded" if has_packets else REASONS["EOFError"]
            raise AudioError(f"{media.label} {reason}")
        if wanted is None:
            notices += tracks.left(track, [other for _, other in usable[number + 1 :]])
        notices += read.damage + read.timeline.notices()
        notices += _shortfall(media, container, stream, read.recordings[0].duration)
        finished = [recording.finish() for recording in read.recordings]
        return tuple(Decoded(samples, (*notices, *more), track, read.timeline.mix) for samples, more in finished)


def declared_length_s(source: bytes | BinaryIO) -> float:
    """Seconds that the header of a media file says its audio lasts; 0 where it does not say, or is no media."""
    try:
        with open_source(source) as media, open_container(media) as container:
            stream = container.streams.best("audio")
            return _declared_s(container, stream) if stream else 0.0
    except AudioError:
        return 0.0


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of one track; `packets` counts those with something in them."""

    recordings: list[Recording]
    timeline: Timeline
    packets: int
    damage: tuple[Notice, ...]


def _read(
    container: av.container.InputContainer, stream: av.AudioStream, label: str, limit: int | None, *, split: bool
) -> _Read:
    """Decode all of a track that can be decoded, and report what could not."""
    count = stream.codec_context.channels if split else 1
    if not 0 < count <= MAX_CHANNELS:
        raise AudioError(f"{label} has {count} channels; 1 to {MAX_CHANNELS} can be told apart")
    recordings = [Recording(label, limit) for _ in range(count)]
    start_s = None if container.start_time is None else container.start_time / av.time_base
    timeline = Timeline(recordings, start_s, mixed=not split)
    packets = 0
    damage: list[tuple[float, float]] = []
    try:
        for packet in container.demux(stream):
            packets += packet.size > 0
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
        return _Read(recordings, timeline, packets, ())
    message = f"parts of the audio are damaged and could not be decoded ({len(damage)})"
    return _Read(recordings, timeline, packets, (Notice("damaged_audio", message, damage[0][0], damage[-1][1]),))


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


def _shortfall(
    media: MediaSource, container: av.container.InputContainer, stream: av.AudioStream, duration: float
) -> tuple[Notice, ...]:
    expected = max(_declared_s(container, stream), duration + _missing_s(media, stream))
    if expected - duration <= max(_SHORTFALL_S, _SHORTFALL_SHARE * expected):
        return ()
    message = f"the file ends early: its header says that it lasts {timedelta(seconds=round(expected))}"
    return (Notice("truncated_audio", message, duration, expected),)
