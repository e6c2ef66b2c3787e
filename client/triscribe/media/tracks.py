"""Which audio track of a media file is taken, and what is said of the others."""

from __future__ import annotations

from collections.abc import Sequence

import av

from triscribe.errors import AudioError, UsageError
from triscribe.media.container import UNDECODABLE
from triscribe.spacing import clean
from triscribe.tags import readings
from triscribe.types import AudioTrack, Notice

_LONGEST_TITLE = 100


def check(wanted: str) -> str:
    """What a caller asked for, if it can be asked for.

    Raises:
        UsageError: neither a number from 1 nor a language.
    """
    text = wanted.strip()
    if text.isdecimal():
        if int(text) < 1:
            raise UsageError("audio tracks are counted from 1")
    elif _language(text) is None:
        raise UsageError(f"an audio track is a number or a language, not {wanted!r}")
    return text


def choose(
    container: av.container.InputContainer, label: str, wanted: str | None
) -> tuple[list[tuple[av.AudioStream, AudioTrack]], tuple[Notice, ...]]:
    """The tracks that may be taken, best first, and what is to be said about the rest.

    Args:
        container: an open media file.
        label: how messages call it.
        wanted: a number from 1, or a language; None: the default one, else the first that can be decoded.

    Raises:
        AudioError: there is none, not the one that is wanted, or none that can be decoded.
    """
    streams = list(container.streams.audio)
    if not streams:
        raise AudioError(f"{label} holds no audio track")
    tracks = [_track(stream, index, len(streams)) for index, stream in enumerate(streams, 1)]
    if wanted is not None:
        position = _wanted(tracks, label, wanted)
        if streams[position].codec_context is None:
            raise AudioError(f"{described(tracks[position])} of {label} {UNDECODABLE}")
        return [(streams[position], tracks[position])], ()
    best = container.streams.best("audio")
    order = sorted(range(len(streams)), key=lambda position: streams[position] is not best)
    usable = [position for position in order if streams[position].codec_context is not None]
    if not usable:
        raise AudioError(f"{label} {UNDECODABLE}")
    lost = [notice for n in order if n not in usable for notice in passed_over(tracks[n])]
    return [(streams[position], tracks[position]) for position in usable], tuple(lost)


def passed_over(track: AudioTrack) -> tuple[Notice, ...]:
    """A notice about a track that cannot be decoded."""
    return (Notice("undecodable_audio_track", f"{described(track)} cannot be decoded here and was passed over"),)


def left(taken: AudioTrack, others: Sequence[AudioTrack]) -> tuple[Notice, ...]:
    """A notice where other tracks could have been taken."""
    if not others:
        return ()
    names = ", ".join(_named(track) for track in sorted(others, key=lambda track: track.index))
    return (Notice("other_audio_tracks", f"{described(taken)} was transcribed; not transcribed: {names}"),)


def described(track: AudioTrack) -> str:
    """For people: "audio track 1 of 2 (en, Main)"."""
    return f"audio track {_named(track, of=track.count)}"


def _named(track: AudioTrack, of: int | None = None) -> str:
    number = str(track.index) if of is None else f"{track.index} of {of}"
    about = ", ".join(filter(None, (track.language, track.title)))
    return f"{number} ({about})" if about else number


def _track(stream: av.AudioStream, index: int, count: int) -> AudioTrack:
    title = clean(stream.metadata.get("title", ""))[:_LONGEST_TITLE]
    return AudioTrack(index, count, _language(stream.metadata.get("language", "")), title or None)


def _wanted(tracks: Sequence[AudioTrack], label: str, wanted: str) -> int:
    """The position of the track that was asked for."""
    if wanted.isdecimal():
        found = [n for n, track in enumerate(tracks) if track.index == int(wanted)]
    else:
        tag = _language(wanted)
        found = [n for n, track in enumerate(tracks) if track.language == tag]
        found += [n for n, track in enumerate(tracks) if _base(track.language) == _base(tag)]
    if not found:
        raise AudioError(f"{label} has no audio track {wanted}; it has {', '.join(map(_named, tracks))}")
    return found[0]


def _language(text: str) -> str | None:
    """The BCP-47 tag of a tag or a name; None where it is none, or undetermined."""
    if not text.strip():
        return None
    for language in readings(text.strip().replace("_", "-")):
        if language.language in (None, "und", "mis", "mul", "zxx"):
            return None
        if language.is_valid():
            return str(language.to_tag())
    return None


def _base(tag: str | None) -> str | None:
    return tag.split("-")[0] if tag else None
