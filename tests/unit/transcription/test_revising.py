"""Chunks whose language, or whose speech, turns out to be another than was thought."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from triscribe.language.switching import Spoken
from triscribe.transcription.chunks import ChunkTranscriber
from triscribe.transcription.detection import LanguageDetector
from triscribe.transcription.fan_out import transcribe_chunks
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.revising import Reviser
from triscribe.transcription.stitching import joined
from triscribe.types import SAMPLE_RATE, Chunk, ChunkResult, Notice, Segment, Span

ENGLISH, GERMAN, LATIN, UNCLEAR = 0.1, 0.2, 0.3, 0.4
HEARD = {
    0.1: {"en": 0.9, "de": 0.1},
    0.2: {"en": 0.05, "de": 0.9, "la": 0.05},
    0.3: {"en": 0.05, "de": 0.25, "la": 0.7},
    0.4: {"en": 0.4, "de": 0.35, "la": 0.25},
}
GUESS = Spoken("en", 0.9, is_guess=True)


def heard(samples):
    """What of each language is in samples, whose values tell it."""
    values, counts = np.unique(samples.astype(np.float64).round(1), return_counts=True)
    shares: dict[str, float] = {}
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        for code, share in HEARD[value].items():
            shares[code] = shares.get(code, 0.0) + share * count / len(samples)
    return shares


@dataclass
class Session:
    """Answers with the language that it was asked for."""

    certainty: float = -0.3
    asked: list[tuple[float, str | None, dict[str, Any]]] = field(default_factory=list)

    async def transcribe(self, chunk, options, *, timeout_s):
        self.asked.append((chunk.start, options["language"], dict(options)))
        shares = heard(chunk.samples) if options.get("detect_beside") else {}
        language = options["language"] or max(shares, key=shares.__getitem__)
        if shares and shares.get(language, 0) < options.get("doubt_below", 0):
            return ChunkResult(chunk.index, "base", language, 1.0, (), (), shares)
        text = Segment(0.5, chunk.duration - 0.5, f"{language} in words", language, self.certainty, 0.01, 1.0, 0.0)
        return ChunkResult(chunk.index, "base", language, 1.0, (text,), (), shares)

    async def detect_language(self, samples, options, *, timeout_s):
        return heard(samples)


def chunks(*lengths, start=0.0, sure=None):
    """One after the other: (value, seconds), or several of these in one chunk."""
    made = []
    for index, parts in enumerate(lengths):
        pairs = parts if isinstance(parts, list) else [parts]
        samples = np.concatenate([np.full(round(s * SAMPLE_RATE), value, np.float32) for value, s in pairs])
        made.append(Chunk(index, start, samples, sure))
        start += made[-1].duration
    return made


def transcribed(made, session=None, spoken=GUESS, **options):
    session = session or Session()
    asked = TranscribeOptions(**options)
    reviser = Reviser(ChunkTranscriber(session, asked), LanguageDetector(session, asked), "bulk")
    total_s = made[-1].end
    events: list[Any] = []
    work = transcribe_chunks(iter([(chunk, spoken) for chunk in made]), total_s, reviser, events.append)
    return asyncio.run(work), session


def languages(placed):
    return [segment.language for part in placed for segment in part.result.segments]


def codes(placed):
    return [notice.code for part in placed for notice in part.result.notices]


def test_a_language_that_holds_costs_no_second_request():
    placed, session = transcribed(chunks(*[(ENGLISH, 10)] * 5))
    assert languages(placed) == ["en"] * 5
    assert len(session.asked) == 5
    assert codes(placed) == []


def test_from_where_another_language_is_spoken_it_is_written():
    placed, session = transcribed(chunks(*[(ENGLISH, 10)] * 3, *[(GERMAN, 10)] * 4))
    assert languages(placed) == ["en"] * 3 + ["de"] * 4
    starts = [segment.start for part in placed for segment in part.result.segments]
    assert starts == sorted(starts)
    assert len(session.asked) == 7 + 4


def test_music_first_does_not_decide_on_the_rest():
    placed, _ = transcribed(chunks(*[(GERMAN, 10)] * 6), spoken=Spoken("la", 0.4, is_guess=True))
    assert languages(placed) == ["de"] * 6


def test_a_chunk_in_two_languages_is_parted():
    made = chunks(*[(ENGLISH, 10)] * 3, [(ENGLISH, 9), (GERMAN, 11)], *[(GERMAN, 10)] * 3)
    placed, _ = transcribed(made)
    assert languages(placed) == ["en"] * 4 + ["de"] * 4
    change = next(s.start for part in placed for s in part.result.segments if s.language == "de")
    assert change == pytest.approx(39.5, abs=3)


def test_one_odd_chunk_among_others_does_not_flip():
    placed, _ = transcribed(
        chunks(*[(GERMAN, 10)] * 3, (LATIN, 10), *[(GERMAN, 10)] * 3), spoken=Spoken("de", 0.9, True)
    )
    assert languages(placed) == ["de"] * 7
    assert codes(placed) == ["language_uncertain"]


def test_a_short_chunk_follows_the_one_before_it():
    placed, _ = transcribed(chunks(*[(ENGLISH, 10)] * 2, *[(GERMAN, 10)] * 3, (ENGLISH, 1), *[(GERMAN, 10)] * 3))
    assert languages(placed) == ["en"] * 2 + ["de"] * 7


def test_the_only_chunk_of_a_recording_may_hold_two_languages():
    placed, _ = transcribed(chunks([(ENGLISH, 12), (GERMAN, 12)]), spoken=None)
    assert languages(placed) == ["en", "de"]


@pytest.mark.parametrize("spoken", [Spoken("en", 1.0), Spoken("en", 0.6)])
def test_a_language_that_was_given_or_settled_is_never_changed(spoken):
    placed, session = transcribed(chunks(*[(GERMAN, 10)] * 3), spoken=spoken)
    assert languages(placed) == ["en"] * 3
    assert not any("detect_beside" in options for _, _, options in session.asked)


def test_only_allowed_languages_are_chosen():
    placed, _ = transcribed(chunks(*[(ENGLISH, 10)] * 2, *[(LATIN, 10)] * 3), languages=("en", "de"))
    assert set(languages(placed)) == {"en", "de"}


def test_the_same_answer_whatever_comes_first():
    made = chunks(*[(ENGLISH, 10)] * 3, (UNCLEAR, 10), *[(GERMAN, 10)] * 4)

    class Slow(Session):
        async def transcribe(self, chunk, options, *, timeout_s):
            await asyncio.sleep(0.02 * ((chunk.index * 5) % 7))
            return await super().transcribe(chunk, options, timeout_s=timeout_s)

    first, _ = transcribed(made)
    second, _ = transcribed(made, Slow())
    assert first == second


SURE = (Span(2 * SAMPLE_RATE, 5 * SAMPLE_RATE),)


@pytest.mark.parametrize(("certainty", "sure", "asked"), [(-0.3, SURE, [0.0]), (-0.5, SURE, [0.0]), (-0.3, (), [0.0])])
def test_a_sound_with_a_text_that_can_be_believed_is_taken_whole(certainty, sure, asked):
    _, session = transcribed(chunks((GERMAN, 20), sure=sure), Session(certainty), Spoken("de", 1.0))
    assert [start for start, _, _ in session.asked] == asked


@pytest.mark.parametrize(
    ("certainty", "sure", "asked"), [(-0.7, SURE, [0.0, 2.0]), (-0.5, (), [0.0]), (-0.9, (), [0.0])]
)
def test_else_only_the_speech_in_it_is_asked_for(certainty, sure, asked):
    placed, session = transcribed(chunks((GERMAN, 20), sure=sure), Session(certainty), Spoken("de", 1.0))
    assert [start for start, _, _ in session.asked] == asked
    starts = [segment.start for part in placed for segment in part.result.segments]
    assert starts == ([2.5] if sure else [])


def test_what_is_heard_in_a_sound_and_not_written_is_told():
    moving = np.abs(np.sin(np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32)
    chunk = Chunk(0, 100.0, moving, ())
    placed, _ = transcribed([chunk], Session(-0.9), Spoken("de", 1.0))
    ((notice,),) = [part.result.notices for part in placed]
    assert notice.code == "speech_not_transcribed"
    assert notice.start == pytest.approx(100, abs=0.2)
    assert notice.end == pytest.approx(120, abs=0.2)


def test_notices_of_neighbouring_stretches_are_one():
    parts = [Notice("a", "same", 0.0, 10.0), Notice("b", "else", 1.0, 2.0), Notice("a", "same", 10.2, 20.0)]
    assert joined([*parts, Notice("a", "same", 30.0, 31.0), Notice("a", "same")]) == [
        Notice("a", "same", 0.0, 20.0),
        Notice("b", "else", 1.0, 2.0),
        Notice("a", "same", 30.0, 31.0),
        Notice("a", "same"),
    ]
