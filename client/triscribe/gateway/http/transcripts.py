"""Transcripts as answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from string import ascii_uppercase

from triscribe.diarization.search import DIARIZATION_FAILED
from triscribe.errors import UnavailableError
from triscribe.gateway.http import bodies
from triscribe.language import languages
from triscribe.spacing import joined
from triscribe.types import Segment, Transcript

NOBODY = "unknown"
"""Stands for the speaker of text that no speaker's turn is near to: the field may not be empty."""

_BCP47 = {"jw": "jv"}
_LEAST_PROBABILITY = 1e-10


def usage(transcript: Transcript) -> bodies.Usage:
    """What was worked on."""
    return bodies.Usage(seconds=_seconds(transcript.audio.duration))


def transcription(transcript: Transcript, *, logprobs: bool) -> bodies.Transcription:
    """`json`."""
    return bodies.Transcription(
        text=transcript.text,
        usage=usage(transcript),
        languages=heard(transcript),
        logprobs=tuple(scores(transcript.segments)) if logprobs else None,
    )


def verbose(transcript: Transcript, *, segments: bool, words: bool) -> bodies.TranscriptionVerbose:
    """`verbose_json`."""
    language = "en" if transcript.task == "translate" else transcript.language
    return bodies.TranscriptionVerbose(
        task=transcript.task,
        language=languages.name(language).lower() if language else "",
        duration=_seconds(transcript.audio.duration),
        text=transcript.text,
        segments=tuple(_verbose_segments(transcript.segments)) if segments else None,
        words=tuple(
            bodies.TimedWord(word=word.word.strip(), start=_seconds(word.start), end=_seconds(word.end))
            for segment in transcript.segments
            for word in segment.words
        )
        if words
        else None,
        usage=usage(transcript),
    )


def diarized(transcript: Transcript, known: Iterable[str]) -> bodies.TranscriptionDiarized:
    """`diarized_json`; `known` speakers have their names already.

    Raises:
        UnavailableError: the speakers could not be found.
    """
    names = speaker_names(transcript, known)
    return bodies.TranscriptionDiarized(
        duration=_seconds(transcript.audio.duration),
        text=transcript.text,
        segments=tuple(diarized_segment(number, segment, names) for number, segment in enumerate(transcript.segments)),
        usage=usage(transcript),
    )


def speaker_names(transcript: Transcript, known: Iterable[str]) -> dict[str, str]:
    """The names of the speakers: "A", "B", … in order of appearance for those who are not `known`.

    Raises:
        UnavailableError: the speakers could not be found.
    """
    for notice in transcript.warnings:
        if notice.code == DIARIZATION_FAILED:
            raise UnavailableError(notice.message)
    taken = frozenset(known)
    every = ("".join(letters) for count in (1, 2) for letters in product(ascii_uppercase, repeat=count))
    letters = (name for name in every if name not in taken)
    return {speaker: speaker if speaker in taken else next(letters) for speaker in transcript.speakers}


def diarized_segment(number: int, segment: Segment, names: dict[str, str]) -> bodies.DiarizedSegment:
    """One segment."""
    return bodies.DiarizedSegment(
        id=segment_id(number),
        start=_seconds(segment.start),
        end=_seconds(segment.end),
        speaker=names.get(segment.speaker or "", segment.speaker or NOBODY),
        text=segment.text.strip(),
    )


def segment_id(number: int) -> str:
    """The name of a segment in answers and events."""
    return f"seg_{number}"


def heard(transcript: Transcript) -> tuple[bodies.Language, ...]:
    """The languages of the speech, the most spoken first."""
    spoken: dict[str, float] = {}
    for segment in transcript.segments:
        spoken[segment.language] = spoken.get(segment.language, 0.0) + segment.end - segment.start
    ordered = sorted(spoken, key=lambda code: -spoken[code])
    return tuple(bodies.Language(code=_BCP47.get(code, code)) for code in ordered)


def deltas(before: Sequence[Segment], segments: Iterable[Segment]) -> Iterator[tuple[Segment, str]]:
    """Each segment with what it adds to the text, so that all of them together are the whole text.

    Args:
        before: the last segment with text that was told, if there was one.
        segments: what is new.
    """
    last = before[-1] if before else None
    for segment in segments:
        text = segment.text.strip()
        if not text:
            continue
        told = joined([(last.text, last.language)]) if last else ""
        both = joined([(last.text, last.language), (text, segment.language)]) if last else text
        yield segment, both.removeprefix(told)
        last = segment


def scores(segments: Iterable[Segment]) -> Iterator[bodies.Logprob]:
    """Each word with the space before it, and the logarithm of its probability."""
    for segment, delta in deltas((), segments):
        yield from segment_scores(segment, delta)


def segment_scores(segment: Segment, delta: str) -> Iterator[bodies.Logprob]:
    """The words of one segment, which together are `delta`; it has one for all where it has no words."""
    ends = list(_word_ends(segment, delta))
    probabilities = [word.probability for word in segment.words]
    if not ends:
        ends, probabilities = [len(delta)], [math.exp(min(segment.avg_logprob, 0.0))]
    start = 0
    for end, probability in zip(ends, probabilities, strict=True):
        token, start = delta[start:end], end
        logprob = math.log(max(probability, _LEAST_PROBABILITY))
        yield bodies.Logprob(token=token, bytes=tuple(token.encode()), logprob=round(logprob, 6))


def _word_ends(segment: Segment, delta: str) -> Iterator[int]:
    """Where each word ends in `delta`; nothing where the text is not made of these words."""
    ends, position = [], 0
    for word in segment.words:
        found = delta.find(word.word.strip(), position)
        if found < 0:
            return
        position = found + len(word.word.strip())
        ends.append(position)
    if ends:
        ends[-1] = len(delta)
    yield from ends


def _verbose_segments(segments: Iterable[Segment]) -> Iterator[bodies.VerboseSegment]:
    for number, segment in enumerate(segments):
        yield bodies.VerboseSegment(
            id=number,
            seek=round(segment.start * 100),
            start=_seconds(segment.start),
            end=_seconds(segment.end),
            text=segment.text.strip(),
            tokens=(),
            temperature=_finite(segment.temperature),
            avg_logprob=_finite(segment.avg_logprob),
            compression_ratio=_finite(segment.compression_ratio),
            no_speech_prob=_finite(segment.no_speech_prob),
        )


def _seconds(seconds: float) -> float:
    return round(seconds, 3)


def _finite(score: float) -> float:
    """JSON has no infinity, and the field has to be a number."""
    return round(max(min(score, 1e6), -1e6), 4) if not math.isnan(score) else 0.0
