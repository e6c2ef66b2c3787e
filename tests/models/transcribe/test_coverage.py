"""Speech that a text leaves out: found, asked for again in two halves, and said where it stays without text."""

from dataclasses import replace

import numpy as np
import pytest

from triscribe_transcribe import pipeline
from triscribe_transcribe.coverage import LOST_S, Loss, is_better, loss
from triscribe_transcribe.evidence import FRAMES_PER_SECOND, covered, loud, seconds, stretches, voice
from triscribe_transcribe.result import Segment, Word

from .support import noise


def segment(text, start, end, timing="aligned"):
    words = text.split()
    step = (end - start) / len(words)
    timed = tuple(Word(w, start + n * step, start + (n + 1) * step, 0.8, timing) for n, w in enumerate(words))
    return Segment(start, end, text, "en", -0.3, 0.0, 1.0, 0.0, timed)


def speaking(length_s, *spans):
    mask = np.zeros(round(length_s * FRAMES_PER_SECOND), bool)
    for start, end in spans:
        mask[round(start * FRAMES_PER_SECOND) : round(end * FRAMES_PER_SECOND)] = True
    return mask


def test_text_beside_all_of_the_speech_leaves_nothing_out():
    assert loss(speaking(10, (0, 4), (5, 9)), [segment("a b c d", 0, 4), segment("e f g h", 5, 9)]) is None


def test_a_sentence_without_text_is_a_loss():
    lost = loss(speaking(10, (0, 4), (5, 9)), [segment("a b c d", 0, 4)])
    assert lost is not None
    assert lost.seconds == pytest.approx(4, abs=0.05)
    (warning,) = lost.warnings
    assert (warning.code, warning.start, warning.end) == ("speech_not_transcribed", 5.0, 9.0)


def test_words_that_touch_do_not_hide_how_few_they_are():
    """Cross-attention spreads two words over ten seconds."""
    assert loss(speaking(10, (0, 10)), [segment("two words", 0, 10, "attention")]) is not None
    plenty = " ".join(["words"] * 15)
    assert loss(speaking(10, (0, 10)), [segment(plenty, 0, 10, "attention")]) is None


@pytest.mark.parametrize(("until_s", "found"), [(1.5, False), (4.0, True)])
def test_a_word_that_the_aligner_stretched_hides_nothing(until_s, found):
    """Whisper wrote a sentence once that was said twice."""
    spans = (("The", (0.0, 0.3)), ("average", (0.3, until_s)), ("man.", (until_s, until_s + 0.4)))
    words = [Word(word, start, end, 0.5, "aligned") for word, (start, end) in spans]
    whole = Segment(0.0, until_s + 0.4, "The average man.", "en", -0.3, 0.0, 1.0, 0.0, tuple(words))
    assert (loss(speaking(6, (0, until_s + 0.4)), [whole]) is not None) is found


@pytest.mark.parametrize(("missing_s", "found"), [(LOST_S - 0.3, False), (LOST_S + 0.3, True)])
def test_a_breath_or_an_er_is_no_loss(missing_s, found):
    mask = speaking(10, (0, 4), (5, 5 + missing_s))
    assert (loss(mask, [segment("a b c d e", 0, 4)]) is not None) is found


def test_speech_without_any_text_is_a_loss():
    lost = loss(speaking(10, (2, 6)), [])
    assert lost is not None
    assert lost.warnings[0].start == 2.0


def test_a_second_text_has_to_be_clearly_better():
    before = Loss(speaking(10, (0, 4)), 4.0)
    assert is_better(None, before)
    assert is_better(replace(before, seconds=2.0), before)
    assert not is_better(replace(before, seconds=3.8), before)


def test_frames_of_a_blip_in_silence():
    samples = np.zeros(16_000 * 3, np.float32)
    samples[16_000 : 16_000 + 640] = noise(0.04)
    assert stretches(loud(samples)) == [(1.0, 1.04)]
    assert seconds(covered([(1.0, 2.0)], 150)) == pytest.approx(1.3, abs=0.03)
    assert loud(samples[:100]).shape == (0,)
    assert voice(samples).shape == loud(samples).shape
    assert voice(samples).max() < 0.5


class TestSecondLook:
    """The pipeline with a voice detection that finds speech in the first three seconds of whatever it gets."""

    @pytest.fixture(autouse=True)
    def speech_first(self, monkeypatch):
        monkeypatch.setattr(
            pipeline, "voice", lambda samples: (np.arange(len(samples) // 320) < 150).astype(np.float32)
        )

    async def test_both_halves_are_asked_where_the_whole_left_much_out(self, bench):
        rich = (
            " One morning the old farmer walked down to his river with three brown dogs and a small red cat, for rain."
        )
        bench.whisper.script = lambda options, frames: {"text": rich} if options["content_frames"] < 1500 else {}
        result = await bench.run(noise(20))
        assert len(bench.whisper.calls) == 3
        assert sum(len(segment.words) for segment in result.segments) == 2 * len(rich.split())
        assert result.warnings == ()

    async def test_what_stays_without_text_is_said(self, bench):
        result = await bench.run(noise(20))
        assert [segment.text for segment in result.segments] == ["Hello there."]
        assert {warning.code for warning in result.warnings} == {"speech_not_transcribed"}

    async def test_a_chunk_without_text_is_said(self, bench):
        bench.whisper.script = lambda options, frames: {"no_speech_prob": 0.9, "avg_logprob": -1.5}
        result = await bench.run(noise(4))
        assert result.segments == ()
        assert [warning.code for warning in result.warnings] == ["speech_not_transcribed"]

    async def test_no_voice_no_second_look(self, bench, monkeypatch):
        monkeypatch.setattr(pipeline, "voice", lambda samples: np.zeros(len(samples) // 320, np.float32))
        result = await bench.run(noise(20))
        assert len(bench.whisper.calls) == 1
        assert result.warnings == ()
