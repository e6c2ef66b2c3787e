"""A person who repeats is kept, a loop of the model is not."""

import numpy as np
import pytest

from triscribe_transcribe import pipeline
from triscribe_transcribe.evidence import FRAMES_PER_SECOND
from triscribe_transcribe.quality import Verdict
from triscribe_transcribe.repetition import is_said, repetitions, written_twice
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


class TestWrittenTwice:
    """A sentence that stands twice in a row is kept twice when it was said twice."""

    SENTENCE = "We stayed inside and played cards. "

    def _copies(self, first, second, **changes):
        one = times(self.SENTENCE, probability=first, **changes)
        return [*one, *(Word(w.word, w.start + 6, w.end + 6, second, w.timing) for w in one)]

    @pytest.mark.parametrize(
        ("first", "second", "weaker"), [(0.8, 0.0, slice(8, 14)), (0.1, 0.7, slice(2, 8)), (0.2, 0.2, slice(8, 14))]
    )
    def test_the_audio_is_asked_with_the_weaker_copy_left_out(self, first, second, weaker):
        (found,) = written_twice([*times("And then"), *self._copies(first, second)])
        assert (found.words, found.is_sure, found.once) == (weaker, False, slice(2, 8))
        for better, is_copy in ((2.0, True), (1.6, True), (1.3, False)):
            alone = times(f"And then {self.SENTENCE}", probability=better * (first + second) / 2)
            assert found.is_better_once(alone) is is_copy

    def test_without_an_aligner_the_copy_without_time_goes(self):
        one = times(self.SENTENCE, timing="attention")
        squeezed = times(self.SENTENCE, timing="attention", every_s=0.1, long_s=0.1)
        (found,) = written_twice([*one, *squeezed])
        assert (found.words, found.is_sure) == (slice(6, 12), True)
        assert not list(written_twice([*one, *one]))

    @pytest.mark.parametrize("text", ["", "no", "no no no no", "a sentence that comes once and no more than once"])
    def test_short_phrases_and_single_sentences_stay(self, text):
        assert not list(written_twice(times(text, probability=0.0)))

    @pytest.mark.parametrize(
        ("both", "alone", "kept"),
        [((0.8, 0.0), 0.8, 1), ((0.1, 0.1), 0.5, 1), ((0.2, 0.2), 0.2, 2), ((0.8, 0.8), 0.8, 2)],
        ids=["one is not found", "found alone", "said twice in noise", "said twice"],
    )
    async def test_the_text_has_it_as_often_as_the_audio(self, bench, both, alone, kept):
        async def align(samples, words, language):
            count = len(self.SENTENCE.split())
            chances = (alone,) if len(words) == count else both
            return [
                {"start": n / 4, "end": n / 4 + 0.2, "probability": chances[n // count], "timing": "aligned"}
                for n in range(len(words))
            ]

        bench.whisper.text, bench.aligner_languages, bench.align = f" {self.SENTENCE}{self.SENTENCE}", {"en"}, align
        result = await bench.run(noise(4), language="en", compression_ratio_threshold=100)
        assert " ".join(segment.text for segment in result.segments) == (self.SENTENCE * kept).strip()
