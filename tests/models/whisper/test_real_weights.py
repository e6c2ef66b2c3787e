"""The default checkpoint on real speech: a result depends on the chunk alone, never on what shares its execution."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from triscribe_transcribe.features import log_mel
from triscribe_whisper.device import load
from triscribe_whisper.engine import Answer, Call, Engine
from triscribe_whisper.errors import WhisperError
from triscribe_whisper.options import WhisperOptions


@pytest.fixture(scope="module")
def chunks(conversation):
    spans = ((6.5, 10.5), (10.5, 15), (15, 20), (17.5, 22), (24, 28.5))
    return [log_mel(conversation.part(*span), 80, 1000) for span in spans]


@pytest.fixture(scope="module")
def alone(base, chunks):
    options = WhisperOptions(language="en", attention=True, suppress_tokens=(-1,))
    calls = [Call(chunk, options) for chunk in chunks]
    return calls, [base.run([call])[0] for call in calls]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_batch_in_any_order_answers_bit_for_bit_as_one_by_one(base, alone, seed):
    calls, expected = alone
    assert len({tuple(answer.tokens) for answer in expected}) == len(calls)
    order = random.Random(seed).sample(range(len(calls)), len(calls))
    answers = base.run([calls[index] for index in order])
    for index, answer in zip(order, answers, strict=True):
        assert asdict(answer) == asdict(expected[index])


def test_text_and_scores_are_plausible(base, alone):
    _, answers = alone
    for answer in answers:
        text = [token for token in answer.tokens if token < 50257]
        assert base._checkpoint.text_tokenizer("en", "transcribe").decode(text).strip()
        assert -1 < answer.avg_logprob < 0
        assert 0 <= answer.no_speech_prob < 0.6
        assert not answer.limit_reached
        assert len(answer.token_starts) == len(text) + 1
        assert len(answer.token_probs) == len(text)
        assert answer.token_starts == sorted(answer.token_starts)


def test_timing_a_known_text_gives_the_times_of_decoding_it(base, alone):
    calls, expected = alone
    options = WhisperOptions(language="en", attention=True, text_tokens=tuple(expected[0].tokens))
    (answer,) = base.run([Call(calls[0].features, options)])
    assert isinstance(answer, Answer)
    assert answer.tokens == expected[0].tokens
    assert answer.token_starts == expected[0].token_starts
    assert answer.token_probs == expected[0].token_probs


def test_detection_comes_with_the_text_and_alone(base, chunks):
    detected, only = base.run(
        [Call(chunks[2], WhisperOptions(beam_size=1)), Call(chunks[2], WhisperOptions(detect_only=True))]
    )
    assert isinstance(detected, Answer)
    assert isinstance(only, Answer)
    assert detected.language == only.language == "en"
    assert detected.tokens
    assert not only.tokens
    assert only.languages == detected.languages
    assert only.language_probability == only.languages["en"] > 0.5


def test_a_prompt_changes_the_spelling(base, chunks):
    """The one who calls herself Sheila can be had with another spelling."""
    tokenizer = base._checkpoint.text_tokenizer("en", "transcribe")

    def text(prompt):
        options = WhisperOptions(language="en", prompt=tuple(tokenizer.encode(prompt)) if prompt else ())
        (answer,) = base.run([Call(chunks[1], options)])
        return tokenizer.decode([token for token in answer.tokens if token < tokenizer.eot])

    spelt = text(" Dianne and Sheela talk about New Jersey. Dianne, Sheela, Dianne.")
    assert "Dianne" not in text("")
    assert "Dianne" in spelt


def test_an_unknown_language_touches_only_its_own_call(base, chunks):
    good, bad = (Call(chunks[0], WhisperOptions(language=code, beam_size=1)) for code in ("en", "yue"))
    first, refused = base.run([good, bad])
    assert isinstance(first, Answer)
    assert isinstance(refused, WhisperError)
    assert (refused.code, refused.field) == ("FAILED_PRECONDITION", "OPTIONS.language")


@pytest.mark.parametrize(
    ("options", "field"), [({"task": "translate"}, "OPTIONS.task"), ({"language": "de"}, "OPTIONS.language")]
)
def test_english_only_refuses_what_it_lacks(english, chunks, options, field):
    (refused,) = english.run([Call(chunks[0], WhisperOptions(**options))])
    assert isinstance(refused, WhisperError)
    assert (refused.code, refused.field) == ("FAILED_PRECONDITION", field)


def test_english_only_needs_no_detection(english, chunks):
    text, only = english.run([Call(chunks[0], WhisperOptions()), Call(chunks[0], WhisperOptions(detect_only=True))])
    assert isinstance(text, Answer)
    assert isinstance(only, Answer)
    assert (text.language, text.language_probability) == ("en", 1.0)
    assert text.tokens
    assert only.languages == {"en": 1.0}


class TestReproducible:
    """At a temperature above zero a text depends on the chunk and the temperature, on nothing that ran before."""

    @staticmethod
    def _calls(chunks, temperature):
        return [Call(chunk, WhisperOptions(language="en", temperature=temperature)) for chunk in chunks]

    @pytest.mark.parametrize("temperature", [0.4, 1.0])
    def test_other_batch_mates_and_earlier_calls_change_nothing(self, base, chunks, temperature):
        calls = self._calls(chunks, temperature)
        alone = [asdict(base.run([call])[0]) for call in calls]
        for order in ([0, 1, 2, 3, 4], [4, 2, 0], [3, 0, 1]):
            answers = base.run([calls[index] for index in order])
            assert [asdict(answer) for answer in answers] == [alone[index] for index in order]

    def test_instances_and_threads_agree(self, base, base_folder, chunks):
        other = Engine(load(str(base_folder), device="cpu", threads=1, workers=2), base._checkpoint)
        calls = self._calls(chunks, 0.8) * 2
        with ThreadPoolExecutor(4) as pool:
            several = [vars(answer) for (answer,) in pool.map(lambda call: other.run([call]), calls)]
        assert several == [vars(base.run([call])[0]) for call in calls]

    def test_temperatures_differ(self, base, chunks):
        """Or a step of the ladder would only repeat the one before."""
        told = [[asdict(a) for a in base.run(self._calls(chunks, temperature))] for temperature in (0.4, 0.8, 1.2)]
        assert told[0] != told[1] != told[2]
