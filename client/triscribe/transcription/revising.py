"""Chunks asked for as they were cut, and again where the answer does not hold.

Two choices are made before a chunk is asked for, and neither is sure. Its language was found at the beginning of the
recording: once every chunk was heard, the likeliest language of each is settled over the whole recording, as with
several languages, and those that speak another one are asked for again. Where its speech is was told by voice
detection: a sound that may hold voices, such as a song, is asked for whole, and the speech in it alone where that gives
no text that can be believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from triscribe.language import languages, switching
from triscribe.language.choice import Detector
from triscribe.language.switching import Spoken
from triscribe.speech import chunking, second_look
from triscribe.tasks import all_of
from triscribe.transcription.chunks import ChunkTranscriber
from triscribe.transcription.options import Priority
from triscribe.types import SAMPLE_RATE, Chunk, ChunkResult, Notice, Span

Answered = list[tuple[Chunk, ChunkResult]]
"""The parts of a chunk in order, mostly one, with their results; starts are those of the file."""

_HOLDS = 0.3
"""A language that is this probable in a chunk is not doubted."""

_SHORTEST_S = 3.0
"""Shorter speech tells too little about its language."""

_TWO_LANGUAGES_S = 8.0
"""The only chunk of a recording is heard window by window from this length on, where its language is not plain."""

_PLAIN = 0.6

_SURE_SOUND, _SURE_VOICE = -0.45, -0.58
"""Mean log probability of text in a sound, and in one with some speech in it: lines of a song had -0.26 to -0.53, words
that nobody sang at most -0.59."""

_SOME_S = 0.5
"""Seconds of speech in a sound that speak for a voice."""

_QUIET_MODEL = 0.3
"""The probability of no speech, which is 0.00 to 0.01 in song."""

_FEWEST_WORDS = 3


@dataclass(frozen=True)
class First:
    """What came of a chunk when it was asked for as it was cut.

    Attributes:
        chunk: the chunk.
        used: its language then; None where it holds no text.
        heard: the probability of each allowed language in it; None where that is not to be doubted.
        answered: its text; None where the sound speaks against the language.
    """

    chunk: Chunk
    used: str | None
    heard: Mapping[str, float] | None
    answered: Answered | None


@dataclass(frozen=True)
class Reviser:
    """Asks for chunks through `transcriber`, and tells languages by `detector`."""

    transcriber: ChunkTranscriber
    detector: Detector
    priority: Priority

    async def first(self, chunk: Chunk, spoken: Spoken | None) -> First:
        """Ask for a chunk as it was cut.

        Raises:
            ServerError: as `ChunkTranscriber.transcribe`.
        """
        if chunk.sure is not None:
            return First(chunk, None, None, await self._sound(chunk, spoken))
        if spoken is not None and not spoken.is_guess:
            return First(chunk, None, None, await self._asked([(chunk, spoken)]))
        is_told = chunk.duration >= _SHORTEST_S
        doubt = {"doubt_below": _HOLDS} if spoken and is_told and not self._allowed else {}
        result = await self.transcriber.transcribe(chunk, spoken, self.priority, detect_beside=True, **doubt)
        used = spoken.language if spoken else result.language
        if not result.languages or not is_told:
            return First(chunk, used, None, [(chunk, result)])
        heard = switching.among({**dict.fromkeys(self._allowed, 0.0), **result.languages}, self._allowed)
        is_doubted = spoken is not None and heard.get(used, 0.0) < _HOLDS
        return First(chunk, used, heard, None if is_doubted else [(chunk, result)])

    async def revise(self, firsts: Sequence[First], since: int) -> dict[int, Answered]:
        """Settle the languages over a whole recording, and ask again for chunks that turn out to be in another one.

        Args:
            firsts: all chunks, in order.
            since: chunks before this one are final.

        Returns:
            The position of each chunk that has another answer now, and that answer.
        """
        if len(firsts) == 1:
            answered = await self._only(firsts[0])
            return {0: answered} if answered else {}
        if all(first.answered is not None for first in firsts):
            return {}
        settled = self._settled(firsts)
        calls = {n: partial(self._revised, firsts, settled, n) for n in range(since, len(firsts)) if settled[n]}
        answers = await all_of(calls.values())
        return {n: answered for n, answered in zip(calls, answers, strict=True) if answered}

    @property
    def _allowed(self) -> Sequence[str]:
        return self.transcriber.options.languages

    async def _only(self, first: First) -> Answered | None:
        """The only chunk of a recording in its languages, where it may have several."""
        heard = first.heard
        if not heard or first.chunk.duration < _TWO_LANGUAGES_S or max(heard.values()) >= _PLAIN:
            return None
        parts = await self._parts(first.chunk, {code for code, share in heard.items() if share >= _HOLDS / 2}, None)
        if len({there.language for _, there in parts}) < 2:
            return None
        return await self._asked(parts)

    def _settled(self, firsts: Sequence[First]) -> list[Spoken | None]:
        """The language of each chunk; what was too short to tell has that of what stands before it."""
        told = [(n, first) for n, first in enumerate(firsts) if first.heard]
        spoken = switching.settle(
            [first.heard or {} for _, first in told], [first.chunk.duration for _, first in told], before=firsts[0].used
        )
        settled: list[Spoken | None] = [None] * len(firsts)
        for (n, _), there in zip(told, spoken, strict=True):
            settled[n] = there
        for n, first in enumerate(firsts):
            if settled[n] is None and first.used:
                settled[n] = settled[n - 1] if n else next(filter(None, settled), None)
        return settled

    async def _revised(self, firsts: Sequence[First], settled: Sequence[Spoken | None], n: int) -> Answered | None:
        """The chunk in the languages of it and its neighbours; None where its first answer stands."""
        first, there = firsts[n], cast("Spoken", settled[n])
        around = {other.language for other in settled[max(0, n - 1) : n + 2] if other}
        found = [(first.chunk, there)]
        if len(around) > 1 and first.heard:
            before = settled[n - 1] if n else there
            found = await self._parts(first.chunk, around, (before or there).language)
        if first.answered and all(part.language == first.used for _, part in found):
            return _noticed(first.answered, _changing(around, first.chunk)) if len(around) > 1 else None
        answered = await self._asked(found)
        best = max(first.heard, key=first.heard.__getitem__) if first.heard else there.language
        if first.heard and best != there.language and first.heard.get(there.language, 0.0) < _HOLDS:
            return _noticed(answered, _uncertain(there.language, best, first.chunk))
        return answered

    async def _parts(self, chunk: Chunk, likely: set[str], before: str | None) -> list[tuple[Chunk, Spoken]]:
        """What is spoken when in a chunk, among the likely languages."""
        windows = chunking.cut(chunk.samples, None, switching.WINDOWS)
        detected = [
            switching.among({**dict.fromkeys(likely, 0.0), **window}, sorted(likely))
            for window in await self.detector.detect(windows)
        ]
        spoken = switching.settle(detected, [window.duration for window in windows], before)
        parts, there = switching.chunks_by_language(chunk.samples, windows, spoken, chunking.LONG_CONTEXT)
        return [(replace(part, start=chunk.start + part.start), each) for part, each in zip(parts, there, strict=True)]

    async def _asked(self, found: Sequence[tuple[Chunk, Spoken | None]]) -> Answered:
        calls = [partial(self.transcriber.transcribe, part, there, self.priority) for part, there in found]
        return list(zip((part for part, _ in found), await all_of(calls), strict=True))

    async def _sound(self, chunk: Chunk, spoken: Spoken | None) -> Answered:
        """A sound whole, or the speech in it."""
        result = await self.transcriber.transcribe(chunk, spoken, self.priority)
        answered: Answered = [(chunk, result)]
        if not is_believable(chunk, result):
            answered = await self._asked([(chunk.part(span), spoken) for span in chunk.sure or ()])
            if not answered:
                answered = [(chunk, replace(result, segments=(), notices=()))]
        return _with_silence_told(chunk, answered)


def is_believable(chunk: Chunk, result: ChunkResult) -> bool:
    """Whether somebody says, or sings, the text of a sound."""
    words = sum(len(segment.text.split()) for segment in result.segments)
    has_voice = sum(span.end - span.start for span in chunk.sure or ()) >= _SOME_S * SAMPLE_RATE
    if words < _FEWEST_WORDS or _certainty([(chunk, result)]) < (_SURE_VOICE if has_voice else _SURE_SOUND):
        return False
    if any(segment.no_speech_prob > _QUIET_MODEL for segment in result.segments):
        return False
    return all(
        any(
            segment.start < span.end / SAMPLE_RATE and segment.end > span.start / SAMPLE_RATE
            for segment in result.segments
        )
        for span in chunk.sure or ()
        if span.end - span.start >= SAMPLE_RATE
    )


def _certainty(answered: Answered) -> float:
    """Mean log probability of all text, by its length."""
    segments = [segment for _, result in answered for segment in result.segments]
    weights = [max(len(segment.text), 1) for segment in segments]
    if not segments:
        return float("-inf")
    return sum(segment.avg_logprob * w for segment, w in zip(segments, weights, strict=True)) / sum(weights)


def _with_silence_told(chunk: Chunk, answered: Answered) -> Answered:
    """With a notice for each stretch of a sound that no text stands for."""
    notices = []
    position = 0
    offset_s = chunk.start - answered[0][0].start  # notices stand with the first part
    texts = [
        Span(
            round((part.start - chunk.start + s.start) * SAMPLE_RATE),
            round((part.start - chunk.start + s.end) * SAMPLE_RATE),
        )
        for part, result in answered
        for s in result.segments
    ]
    for text in [*sorted(texts), Span(len(chunk.samples), len(chunk.samples))]:
        gap = Span(position, max(position, text.start))
        if heard := second_look.sound(chunk.samples, gap):
            notices.append(_untold(heard.start / SAMPLE_RATE + offset_s, heard.end / SAMPLE_RATE + offset_s))
        position = max(position, text.end)
    return _noticed(answered, *notices)


def _untold(start_s: float, end_s: float) -> Notice:
    message = "something is to be heard here, and no words were found in it"
    return Notice("speech_not_transcribed", message, start_s, end_s)


def _noticed(answered: Answered, *notices: Notice) -> Answered:
    """With notices whose times count from the start of the first part."""
    (part, result), *others = answered
    return [(part, replace(result, notices=(*result.notices, *notices))), *others]


def _uncertain(used: str, heard: str, chunk: Chunk) -> Notice:
    message = f"the language was taken for {languages.name(used)}; it may be {languages.name(heard)}"
    return Notice("language_uncertain", message, 0.0, chunk.duration)


def _changing(around: set[str], chunk: Chunk) -> Notice:
    names = " and ".join(sorted(map(languages.name, around)))
    return Notice("language_uncertain", f"the language changes near here, between {names}", 0.0, chunk.duration)
