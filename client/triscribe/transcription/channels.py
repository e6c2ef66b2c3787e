"""Recordings with one speaker on each channel: transcripts of the channels to one of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from triscribe.diarization.overlaps import find_overlaps
from triscribe.types import Notice, Segment, SpeakerTurn, Transcript


def label(channel: int) -> str:
    """The speaker of a channel, which counts from 1."""
    return f"CHANNEL_{channel}"


def of_channel(segment: Segment, channel: int) -> Segment:
    """The segment as the one of a channel, which is its speaker."""
    speaker = label(channel)
    words = tuple(replace(word, speaker=speaker) for word in segment.words)
    return replace(segment, words=words, speaker=speaker, channel=channel)


def merge(channels: Sequence[Transcript]) -> Transcript:
    """One transcript of several channels, by time; its language is that of most of the speech.

    Args:
        channels: at least one, in order; with times of the same file.
    """
    segments = sorted(
        (of_channel(segment, n) for n, channel in enumerate(channels, 1) for segment in channel.segments),
        key=lambda segment: (segment.start, segment.end),
    )
    main = max(channels, key=lambda channel: sum(segment.end - segment.start for segment in channel.segments))
    turns = tuple(SpeakerTurn(segment.start, segment.end, segment.speaker or "") for segment in segments)
    return replace(
        main,
        segments=tuple(segments),
        speakers=tuple(dict.fromkeys(segment.speaker for segment in segments if segment.speaker)),
        turns=turns,
        overlaps=find_overlaps(turns),
        warnings=_warnings(channels),
    )


def _warnings(channels: Sequence[Transcript]) -> tuple[Notice, ...]:
    """Each once where all channels share it (the file is damaged), else with its channel named."""
    shared = [notice for notice in channels[0].warnings if all(notice in other.warnings for other in channels[1:])]
    own = [
        replace(notice, message=f"channel {n}: {notice.message}")
        for n, channel in enumerate(channels, 1)
        for notice in channel.warnings
        if notice not in shared
    ]
    return (*shared, *own)
