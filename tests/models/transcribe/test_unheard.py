"""Words over silence and noise, and the prompt given back, are no text; what was said stays."""

from dataclasses import replace

import numpy as np
import pytest

from triscribe_transcribe import pipeline
from triscribe_transcribe.quality import Candidate
from triscribe_transcribe.result import Segment, Word
from triscribe_transcribe.unheard import has_voice, is_alike, is_doubtful, is_echo

from .support import Bench, FakeWhisper, noise

THANKS = Candidate("Thank you.", (1, 2, 3), -0.98, 0.71, False, 0.0)
"""Of digital silence with a blip of 40 ms."""


def words(probability, timing):
    return [Word("Thank", 0.0, 0.4, probability, timing), Word("you.", 0.4, 0.6, probability, timing)]


@pytest.mark.parametrize(
    ("candidate", "probability", "timing", "doubtful"),
    [
        (THANKS, 0.02, "aligned", True),
        (THANKS, 0.0, "interpolated", True),
        (THANKS, 0.4, "aligned", False),
        (replace(THANKS, avg_logprob=-0.2, no_speech_prob=0.01), 0.02, "aligned", False),
        (THANKS, 0.9, "attention", True),
        (replace(THANKS, no_speech_prob=0.4, avg_logprob=-0.8), 0.1, "attention", False),
    ],
)
def test_doubt_needs_both_the_aligner_and_whisper_where_there_is_one(candidate, probability, timing, doubtful):
    assert is_doubtful(candidate, words(probability, timing)) is doubtful


@pytest.mark.parametrize(("voiced_s", "heard"), [(0.0, False), (0.04, False), (0.3, True)])
def test_voice_beside_the_words(voiced_s, heard):
    probabilities = np.zeros(500, np.float32)
    probabilities[100 : 100 + round(voiced_s * 50)] = 0.6
    segment = Segment(2.0, 3.0, "Thank you.", "en", -0.98, 0.71, 0.5, 0.0)
    assert has_voice(segment, probabilities) is heard
    assert not has_voice(replace(segment, start=5.0, end=6.0), probabilities)


PROMPT = "The assistant is called Jarvix."


@pytest.mark.parametrize(
    ("text", "prompt", "echo"),
    [
        (PROMPT, PROMPT, True),
        ("the assistant is called", PROMPT, True),
        ("The assistant is called Jarvix. The assistant is called Jarvix.", PROMPT, True),
        ("アシスタントの名前はジャービスです。" * 2, "アシスタントの名前はジャービスです。", True),
        ("助手叫贾维斯。", "助手叫贾维斯。", True),
        ("Jarvix", PROMPT, False),
        ("Please call the other assistant, who sits upstairs.", PROMPT, False),
        (PROMPT, "", False),
        ("", PROMPT, False),
        ("アシスタントの名前はアシスタントの名前はジャービスです。", "アシスタントの名前はジャービスです。", True),
        ("is called Jarvix. The assistant is called", "The assistant is called Jarvix.", True),
    ],
)
def test_an_echo_is_hardly_more_than_the_prompt(text, prompt, echo):
    assert is_echo(text, prompt) is echo


def test_two_spellings_of_one_speech_are_alike():
    assert is_alike("The assistant is called Jarvix.", "the assistant is called Jarvis")
    assert not is_alike("The assistant is called Jarvix.", "you")


@pytest.fixture
def voice(monkeypatch):
    """Makes voice detection answer with one probability everywhere."""

    def answer(probability):
        monkeypatch.setattr(pipeline, "voice", lambda samples: np.full(len(samples) // 320, probability, np.float32))

    return answer


DOUBT = {"text": " Thank you.", "no_speech_prob": 0.71, "avg_logprob": -0.98}


@pytest.mark.parametrize(
    ("probability", "options", "texts"),
    [(0.0, {}, []), (0.4, {}, ["Thank you."]), (0.0, {"no_speech_threshold": 1}, ["Thank you."])],
)
async def test_words_that_nobody_said_are_left_out_and_that_is_said(bench, voice, probability, options, texts):
    voice(probability)
    bench.whisper.script = lambda asked, frames: DOUBT
    result = await bench.run(noise(4), **options)
    assert [segment.text for segment in result.segments] == texts
    assert [warning.code for warning in result.warnings] == ([] if texts else ["text_left_out"])


class TestPrompt:
    """The prompt as the answer is asked for again without it."""

    @staticmethod
    def _bench(checkpoint, plain):
        def script(options, frames):
            return {"text": " Jarvix and Triscribe"} if options["prompt"] else plain

        return Bench(FakeWhisper(checkpoint, script=script))

    async def test_noise_is_no_prompt(self, checkpoint):
        bench = self._bench(checkpoint, {"text": "", "no_speech_prob": 0.9, "avg_logprob": -1.2})
        result = await bench.run(noise(4), hotwords="Jarvix and Triscribe")
        assert result.segments == ()

    async def test_a_person_who_says_the_prompt_gets_its_spelling(self, checkpoint):
        bench = self._bench(checkpoint, {"text": " Jarvis and try scribe"})
        result = await bench.run(noise(4), hotwords="Jarvix and Triscribe")
        assert [segment.text for segment in result.segments] == ["Jarvix and Triscribe"]
        assert len(bench.whisper.calls) == 2
