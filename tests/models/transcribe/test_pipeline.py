"""The ladder, the split, word times and warnings, with a whisper that is told what to say."""

import numpy as np
import pytest

from triscribe.types import SAMPLE_RATE
from triscribe_transcribe.errors import PipelineError
from triscribe_transcribe.job import Context
from triscribe_transcribe.pauses import quietest
from triscribe_transcribe.pipeline import MIN_SPLIT_S
from triscribe_transcribe.quality import Verdict
from triscribe_transcribe.words import ATTENTION_BIAS_S

from .support import Bench, FakeWhisper, noise

FULL = 3000


def text_of(result):
    return " ".join(segment.text for segment in result.segments)


async def test_a_good_answer_is_asked_for_once(bench):
    result = await bench.run(noise(4))
    assert text_of(result) == "Hello there."
    assert result.warnings == ()
    (call,) = bench.whisper.calls
    assert call[0] == 1000
    assert call[1]["content_frames"] == 400
    assert bench.retries == []


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0.5, 1000), (9.5, 1000), (9.6, 1500), (14.5, 1500), (24.6, 3000), (30, 3000)]
)
async def test_the_context_follows_the_length(bench, seconds, frames):
    await bench.run(noise(seconds))
    assert [call[0] for call in bench.whisper.calls] == [frames]


async def test_the_ladder_takes_the_full_context_before_a_higher_temperature(bench):
    bench.whisper.script = lambda options, frames: {"avg_logprob": -2.0}
    result = await bench.run(noise(4), temperature=(0.0, 0.4, 0.8))
    climbed = [(frames, options["temperature"]) for frames, options in bench.whisper.calls[:4]]
    assert climbed == [(1000, 0.0), (FULL, 0.0), (FULL, 0.4), (FULL, 0.8)]
    assert bench.retries == [Verdict.LOW_CONFIDENCE] * 4
    assert [warning.code for warning in result.warnings] == ["low_confidence"]
    assert text_of(result) == "Hello there."


async def test_the_ladder_ends_at_the_first_text_that_passes(bench):
    bench.whisper.script = lambda options, frames: (
        {"text": " la la" * 40} if frames < FULL else {"text": " A full context helps."}
    )
    result = await bench.run(noise(4))
    assert text_of(result) == "A full context helps."
    assert result.warnings == ()
    assert bench.retries == [Verdict.REPETITIVE]


async def test_a_loop_that_nothing_cures_is_flagged(bench):
    bench.whisper.text = " and so on" * 40
    result = await bench.run(noise(4))
    assert [warning.code for warning in result.warnings] == ["repetitive"]
    assert (result.warnings[0].start, result.warnings[0].end) == (0.0, 4.0)


async def test_the_temperature_of_the_result_is_the_one_that_passed(bench):
    bench.whisper.script = lambda options, frames: {} if options["temperature"] > 0 else {"avg_logprob": -2.0}
    result = await bench.run(noise(4), temperature=(0.0, 0.6))
    assert {segment.temperature for segment in result.segments} == {0.6}


async def test_no_speech_is_no_text(bench):
    bench.whisper.script = lambda options, frames: {"no_speech_prob": 0.9, "avg_logprob": -1.5}
    result = await bench.run(noise(4))
    assert result.segments == ()
    assert len(bench.whisper.calls) == 1


async def test_text_that_no_step_believes_is_left_out_and_said(bench):
    bench.whisper.script = lambda options, frames: {"avg_logprob": -2.5}
    result = await bench.run(noise(4))
    assert result.segments == ()
    assert [(warning.code, warning.end) for warning in result.warnings] == [("text_left_out", 4.0)]
    assert len(bench.whisper.calls) == 4


async def test_silence_asks_nobody(bench):
    result = await bench.run(np.zeros(SAMPLE_RATE, np.float32), language="de")
    assert (result.segments, result.language) == ((), "de")
    assert bench.whisper.calls == []


async def test_detection_answers_every_language_even_for_silence(bench):
    result = await bench.run(np.zeros(SAMPLE_RATE, np.float32), detect_only=True)
    assert result.languages == {"en": 0.9, "de": 0.1}
    assert result.segments == ()
    assert bench.whisper.calls[0][1]["detect_only"] is True


class TestTokenLimit:
    """A chunk with more text than fits is split, never cut off in silence."""

    @staticmethod
    def _with_pause(seconds):
        samples = noise(seconds)
        middle = len(samples) // 2
        samples[middle - 1600 : middle + 1600] = 0
        return samples

    async def test_both_halves_are_transcribed(self, bench):
        lengths = []

        def script(options, frames):
            seconds = options["content_frames"] / 100
            lengths.append(seconds)
            return {"limit_reached": seconds > 15, "text": f" Part {len(lengths)}."}

        bench.whisper.script = script
        result = await bench.run(self._with_pause(28))
        assert sum(lengths[1:]) == pytest.approx(28, abs=0.02)
        assert len(lengths) == 3
        assert sorted(text_of(result).split(" Part ")) == sorted(["Part 2.", "3."])
        assert result.segments[0].end <= result.segments[1].start
        assert result.segments[1].start == pytest.approx(lengths[1] - ATTENTION_BIAS_S, abs=0.02)
        assert result.warnings == ()

    async def test_halves_keep_the_language_that_the_whole_had(self, bench):
        bench.whisper.script = lambda options, frames: {"limit_reached": options["content_frames"] > 1500}
        await bench.run(self._with_pause(28))
        assert [options["language"] for _, options in bench.whisper.calls] == [None, "en", "en"]

    async def test_what_cannot_be_split_any_more_is_reported(self, bench):
        bench.whisper.script = lambda options, frames: {"limit_reached": True}
        result = await bench.run(noise(3))
        assert text_of(result)
        assert {warning.code for warning in result.warnings} == {"limit"}
        assert min(options["content_frames"] for _, options in bench.whisper.calls) <= MIN_SPLIT_S * 100

    async def test_the_cut_is_where_it_is_quietest(self):
        samples = noise(20)
        samples[int(11.2 * SAMPLE_RATE) : int(11.5 * SAMPLE_RATE)] = 0
        assert 11.2 <= quietest(samples) / SAMPLE_RATE <= 11.5


class TestAlignment:
    """Where an aligner serves the language, it times the words; else, and when it fails, attention does."""

    @staticmethod
    async def _align(samples, words, language):
        return [
            {"start": n / 2, "end": n / 2 + 0.4, "probability": 0.8, "timing": "aligned"} for n in range(len(words))
        ]

    async def test_aligned_words_replace_attention(self, bench):
        bench.aligner_languages, bench.align = frozenset({"en"}), self._align
        result = await bench.run(noise(4), language="en")
        assert [(word.word, word.start, word.timing) for word in result.segments[0].words] == [
            ("Hello", 0.0, "aligned"),
            ("there.", 0.5, "aligned"),
        ]
        assert bench.whisper.calls[0][1]["attention"] is False

    @pytest.mark.parametrize("options", [{"language": "de"}, {"language": "en", "task": "translate"}])
    async def test_other_languages_and_translations_keep_attention(self, bench, options):
        bench.aligner_languages, bench.align = frozenset({"en"}), self._align
        result = await bench.run(noise(4), **options)
        assert {word.timing for segment in result.segments for word in segment.words} == {"attention"}
        assert len(bench.whisper.calls) == 1

    async def test_a_failing_aligner_costs_the_better_times_only(self, bench):
        async def broken(samples, words, language):
            raise PipelineError("INTERNAL", "no path through the emissions")

        bench.aligner_languages, bench.align = frozenset({"en"}), broken
        result = await bench.run(noise(4), language="en")
        assert {word.timing for word in result.segments[0].words} == {"attention"}
        assert [warning.code for warning in result.warnings] == ["alignment_failed"]
        assert "no path" in result.warnings[0].message
        # The text is not decoded again, only timed.
        assert bench.whisper.calls[-1][1]["text_tokens"] is not None

    @pytest.mark.parametrize("code", ["CANCELLED", "UNAVAILABLE"])
    async def test_a_caller_that_went_or_a_worker_that_died_ends_the_request(self, bench, code):
        """Another try gives the better times: a dead aligner must not make results differ."""

        async def gone(samples, words, language):
            raise PipelineError(code, "gone")

        bench.aligner_languages, bench.align = frozenset({"en"}), gone
        with pytest.raises(PipelineError, match="gone"):
            await bench.run(noise(4), language="en")


async def test_without_words_the_segments_are_timed_by_attention_and_no_aligner_is_asked(checkpoint):
    async def align(samples, words, language):
        raise AssertionError("nobody wants word times")

    bench = Bench(FakeWhisper(checkpoint, " One here. Two there."), frozenset(["en"]), align)
    with_words = await Bench(bench.whisper).run(noise(4), language="en")
    result = await bench.run(noise(4), language="en", word_timestamps=False)
    assert [(s.text, s.words) for s in result.segments] == [("One here.", ()), ("Two there.", ())]
    assert [(s.start, s.end) for s in result.segments] == [(s.start, s.end) for s in with_words.segments]
    assert all(options["attention"] for _, options in bench.whisper.calls)


@pytest.mark.parametrize("word_timestamps", [True, False])
async def test_more_words_than_a_person_can_say_are_flagged(bench, word_timestamps):
    bench.whisper.text = " " + " ".join(f"word{n * 7919 % 1000}" for n in range(40))
    result = await bench.run(noise(1), word_timestamps=word_timestamps, compression_ratio_threshold=100)
    assert [warning.code for warning in result.warnings] == ["too_dense"]


@pytest.mark.parametrize(
    ("language", "seconds", "context_s"), [("en", 4, 10), (None, 4, 10), ("zh", 4, 15), ("de", 16, 20), ("zh", 30, 30)]
)
def test_other_languages_than_english_get_a_longer_context(language, seconds, context_s):
    assert Context().frames(seconds * 16_000, language) == 100 * context_s
