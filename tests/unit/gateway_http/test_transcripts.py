"""Answers against the types of the official SDK, strictly."""

from __future__ import annotations

import math

import openai.types.audio as sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triscribe.diarization.search import DIARIZATION_FAILED
from triscribe.errors import UnavailableError
from triscribe.gateway.http import transcripts
from triscribe.types import AudioInfo, Notice, Segment, SpeakerTurn, Transcript, Word


def segment(text: str, start: float, speaker: str | None = None, language: str = "en") -> Segment:
    words = tuple(
        Word(word, start + number / 10, start + number / 10 + 0.1, 0.5, "aligned", speaker)
        for number, word in enumerate(text.split())
    )
    return Segment(start, start + 1.0, text, language, -0.2, 0.1, math.inf, 0.0, words, speaker)


SEGMENTS = (segment("Hello there.", 0.0, "SPEAKER_00"), segment("Hi!", 1.5, "SPEAKER_01"), segment("So.", 3.0, None))
TALK = Transcript(
    AudioInfo("the audio", 4.5),
    "en",
    0.9,
    "base",
    "transcribe",
    SEGMENTS,
    ("SPEAKER_00", "SPEAKER_01"),
    (SpeakerTurn(0.0, 1.0, "SPEAKER_00"),),
)


def test_json():
    answer = transcripts.transcription(TALK, logprobs=True).model_dump(exclude_none=True)
    read = sdk.Transcription.model_validate(answer)
    assert read.text == "Hello there. Hi! So."
    assert read.usage
    assert read.usage.type == "duration"
    assert [language.code for language in read.languages or ()] == ["en"]
    assert "".join(one.token or "" for one in read.logprobs or ()) == read.text
    assert {one.logprob for one in read.logprobs or ()} == {round(math.log(0.5), 6)}


def test_verbose_json():
    answer = transcripts.verbose(TALK, segments=True, words=True).model_dump(exclude_none=True)
    read = sdk.TranscriptionVerbose.model_validate(answer)
    assert (read.language, read.duration) == ("english", 4.5)
    assert [one.id for one in read.segments or ()] == [0, 1, 2]
    assert all(math.isfinite(one.compression_ratio) for one in read.segments or ())
    assert [one.word for one in read.words or ()] == ["Hello", "there.", "Hi!", "So."]
    only_words = transcripts.verbose(TALK, segments=False, words=True).model_dump(exclude_none=True)
    assert "segments" not in only_words


def test_diarized_json():
    read = sdk.TranscriptionDiarized.model_validate(transcripts.diarized(TALK, ()).model_dump())
    assert [(one.speaker, one.text) for one in read.segments] == [
        ("A", "Hello there."),
        ("B", "Hi!"),
        ("unknown", "So."),
    ]
    assert len({one.id for one in read.segments}) == 3


def test_speakers_that_could_not_be_found_are_no_answer():
    failed = Transcript(
        TALK.audio, "en", 1.0, "base", "transcribe", SEGMENTS, warnings=(Notice(DIARIZATION_FAILED, "x"),)
    )
    with pytest.raises(UnavailableError):
        transcripts.diarized(failed, ())


TEXTS = st.lists(
    st.tuples(st.sampled_from(["Hello.", "你好。", " a b ", "", "ok", "世界"]), st.sampled_from(["en", "zh", "ja"]))
)


@given(TEXTS, st.integers(1, 4))
def test_deltas_are_the_text_however_they_come(texts, size):
    """And their words are each delta, to the last character."""
    segments = [segment(text, float(number), language=language) for number, (text, language) in enumerate(texts)]
    whole = Transcript(TALK.audio, "en", 1.0, "base", "transcribe", tuple(segments))
    last: list[Segment] = []
    told = ""
    for start in range(0, len(segments), size):
        for one, delta in transcripts.deltas(last, segments[start : start + size]):
            told += delta
            last = [one]
            assert "".join(score.token for score in transcripts.segment_scores(one, delta)) == delta
    assert told == whole.text
