"""Recordings with one speaker on each channel: transcripts of the channels to one of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from triscribe.types import Notice, Overlap, Segment, SpeakerTurn, Transcript


def label(channel: int) -> str:
    """The speaker of a channel, which counts from 1."""
    return f"CHANNEL_{channel}"


def of_channel(segment: Segment, channel: int) -> Segment:
    """The segment as it was heard on a channel, which is its speaker."""
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
    return replace(
        main,
        segments=tuple(segments),
        speakers=tuple(dict.fromkeys(segment.speaker for segment in segments if segment.speaker)),
        turns=tuple(SpeakerTurn(segment.start, segment.end, segment.speaker or "") for segment in segments),
        overlaps=_overlaps(segments),
        warnings=_warnings(channels),
    )


def _overlaps(segments: Sequence[Segment]) -> tuple[Overlap, ...]:
    """Stretches in which more than one channel speaks."""
    found: list[Overlap] = []
    speaking: Counter[str] = Counter()
    events = sorted(
        (time, change, segment.speaker or "")
        for segment in segments
        for time, change in ((segment.start, 1), (segment.end, -1))
    )
    for (time, change, speaker), (until, _, _) in pairwise(events):
        speaking[speaker] += change
        together = tuple(sorted(+speaking))
        if len(together) < 2 or until <= time:
            continue
        if found and found[-1].end == time and found[-1].speakers == together:
            found[-1] = replace(found[-1], end=until)
        else:
            found.append(Overlap(time, until, together))
    return tuple(found)


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
