"""The speech of a recording: found and cut while what was found before is being worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import cast

from triscribe.media.decoding import Decoded
from triscribe.speech import chunking, second_look, vad
from triscribe.speech.chunking import ChunkingOptions
from triscribe.speech.vad import VadOptions
from triscribe.types import MAX_CHUNK_S, SAMPLE_RATE, AudioInfo, Chunk, Samples, Span

_SHORT_S = 8.0
"""Seconds of speech beside a sound that may be part of it: voice detection finds pieces of a song."""

_APART_S = 2.0
"""Seconds of quiet that part speech from a sound."""

_SOUND_CHUNKS = ChunkingOptions(target_s=MAX_CHUNK_S - 1)


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch in which voices may be that voice detection does not find; it is sure of `speech` only."""

    span: Span
    speech: tuple[Span, ...]


class Speech:
    """A decoded recording and the chunks in it. For one caller at a time.

    Args:
        decoded: the samples.
        path: what the transcript calls it.
        voice_detection: None takes every sample for speech.
    """

    def __init__(self, decoded: Decoded, path: str, voice_detection: VadOptions | None) -> None:
        self.samples = decoded.samples
        self.notices = decoded.notices
        self.info = AudioInfo(path, len(self.samples) / SAMPLE_RATE, decoded.track, decoded.mix)
        if voice_detection is None:
            self._parts: Iterator[Span | Sound] = iter([Span(0, len(self.samples))])
        else:
            self._parts = with_sounds(self.samples, vad.spans_as_found(self.samples, voice_detection))
        self._found: list[Span | Sound] = []

    def chunks(self, options: ChunkingOptions) -> Iterator[Chunk]:
        """Chunks in order, each as soon as it is known. Speech is looked for once, however often it is cut."""
        index = 0
        for kind, parts in groupby(self._all_parts(), key=type):
            if kind is Sound:
                cut = self._sound_chunks(cast("Iterable[Sound]", parts))
            else:
                cut = self._speech_chunks(cast("Iterable[Span]", parts), options)
            for chunk in cut:
                yield replace(chunk, index=index)
                index += 1

    def _speech_chunks(self, spans: Iterable[Span], options: ChunkingOptions) -> Iterator[Chunk]:
        seen: list[Span] = []

        def noted() -> Iterator[Span]:
            for span in spans:
                seen.append(span)
                yield span

        for chunk in chunking.cut_as_found(self.samples, noted(), options):
            window = _window(chunk)
            inside = _inside(seen, window)
            seen = [span for span in seen if span.end > window.end]
            yield replace(chunk, samples=second_look.levelled(chunk.samples, inside)) if len(inside) > 1 else chunk

    def _sound_chunks(self, sounds: Iterable[Sound]) -> Iterator[Chunk]:
        for sound in sounds:
            for chunk in chunking.cut(self.samples, [sound.span], _SOUND_CHUNKS):
                yield replace(chunk, sure=_inside(sound.speech, _window(chunk)))

    def _all_parts(self) -> Iterator[Span | Sound]:
        index = 0
        while index < len(self._found) or self._find():
            yield self._found[index]
            index += 1

    def _find(self) -> bool:
        """Look on for one more part; False at the end."""
        part = next(self._parts, None)
        if part is not None:
            self._found.append(part)
        return part is not None


def with_sounds(samples: Samples, spans: Iterable[Span]) -> Iterator[Span | Sound]:
    """Spans of speech in order, and the sounds between them; short speech beside a sound becomes part of it."""
    sound: Span | None = None  # that is open
    inside: list[Span] = []  # the speech in it
    after: list[Span] = []  # short speech that follows it, or that a sound may follow
    position = 0
    for span in chain(spans, [None]):
        gap = Span(position, span.start if span else len(samples))
        if heard := second_look.sound(samples, gap):
            if heard.start - position > _APART_S * SAMPLE_RATE:
                yield from _closed(sound, inside, after)
                sound, inside, after = None, [], []
            first = sound or (after[0] if after else heard)
            sound, inside, after = Span(first.start, heard.end), inside + after, []
        is_apart = gap.end - (heard.end if heard else position) > _APART_S * SAMPLE_RATE
        if span is None or is_apart or _seconds(Span((after or [span])[0].start, span.end)) > _SHORT_S:
            yield from _closed(sound, inside, after)
            sound, inside, after = None, [], []
        if span and _seconds(span) > _SHORT_S:
            yield span
        elif span:
            after.append(span)
        position = span.end if span else position


def _closed(sound: Span | None, inside: list[Span], after: list[Span]) -> Iterator[Span | Sound]:
    if sound:
        yield Sound(sound, tuple(inside))
    yield from after


def _seconds(span: Span) -> float:
    return (span.end - span.start) / SAMPLE_RATE


def _window(chunk: Chunk) -> Span:
    """Where a chunk lies in its file."""
    start = round(chunk.start * SAMPLE_RATE)
    return Span(start, start + len(chunk.samples))


def _inside(spans: Iterable[Span], window: Span) -> tuple[Span, ...]:
    """The spans within a window, in samples of the window."""
    clipped = (Span(max(span.start, window.start), min(span.end, window.end)) for span in spans)
    return tuple(Span(span.start - window.start, span.end - window.start) for span in clipped if span.end > span.start)
