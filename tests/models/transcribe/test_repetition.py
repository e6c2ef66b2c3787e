"""A person who repeats is kept, a loop of the model is not."""

import numpy as np
import pytest

from triscribe_transcribe import pipeline
from triscribe_transcribe.evidence import FRAMES_PER_SECOND
from triscribe_transcribe.quality import Verdict
from triscribe_transcribe.repetition import is_said, repetitions
from triscribe_transcribe.result import Word

from .support import noise


def times(text, *, every_s=1.0, long_s=0.5, probability=0.3, timing="aligned"):
    return [Word(word, n * every_s, n * every_s + long_s, probability, timing) for n, word in enumerate(text.split())]


def bursts(count, *, every_s=1.0, long_s=0.5):
    mask = np.zeros(round((count * every_s + 1) * FRAMES_PER_SECOND), bool)
    for n in range(count):
        mask[round(n * every_s * FRAMES_PER_SECOND) : round((n * every_s + long_s) * FRAMES_PER_SECOND)] = True
    return mask


@pytest.mark.parametrize(
    ("text", "count"),
    [("yes " * 40, 40), ("one two " * 20, 20), ("We want more. " * 12, 12), ("no", 1), ("a whole new sentence", 1)],
)
def test_the_phrase_that_comes_again_is_counted(text, count):
    assert repetitions(times(text)) == count


class TestAligned:
    def test_words_that_are_all_found_were_said(self):
        assert is_said(times("yes " * 12), bursts(12))

    def test_words_too_many_are_a_loop(self):
        words = times("yes " * 12)
        assert not is_said([*words, *times("yes " * 4, probability=0.02)], bursts(12))

    def test_words_that_were_not_found_are_a_loop(self):
        assert not is_said(times("yes " * 12, timing="interpolated"), bursts(12))

    def test_words_where_nobody_speaks_are_a_loop(self):
        assert not is_said(times("yes " * 12), bursts(12) & False)

    def test_no_words_are_not_said(self):
        assert not is_said([], bursts(3))


class TestWithoutAnAligner:
    """The pauses are counted instead."""

    @pytest.mark.parametrize(("said", "kept"), [(12, True), (6, False), (30, False)])
    def test_as_many_as_there_are_stretches_of_speech(self, said, kept):
        words = times("ja " * 12, long_s=0.98, timing="attention")
        assert is_said(words, bursts(said, every_s=12 / said, long_s=9 / said)) is kept

    def test_one_long_sound_says_nothing(self):
        assert not is_said(times("ja " * 12, long_s=1.0, timing="attention"), np.ones(600, bool))


async def test_repeated_speech_ends_the_ladder(bench, monkeypatch):
    monkeypatch.setattr(pipeline, "is_said", lambda words, speaking: True)
    bench.whisper.text = " yes" * 20
    result = await bench.run(noise(10))
    assert len(bench.whisper.calls) == 1
    assert result.warnings == ()
    assert bench.retries == []


async def test_more_words_than_a_person_says_are_a_loop_whatever_is_heard(bench, monkeypatch):
    monkeypatch.setattr(pipeline, "is_said", lambda words, speaking: True)
    bench.whisper.text = " yes" * 100
    await bench.run(noise(10))
    assert set(bench.retries) == {Verdict.REPETITIVE}
