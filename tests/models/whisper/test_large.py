"""A checkpoint of large-v3's shape: what 128 mels and Cantonese change is read from it, not assumed."""

import numpy as np
import pytest

import triscribe_transcribe.checkpoint
from triscribe_whisper.checkpoint import start_sequence
from triscribe_whisper.engine import Answer, Call
from triscribe_whisper.errors import WhisperError
from triscribe_whisper.options import WhisperOptions

from .conftest import N_MELS, YUE


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(1).normal(0, 1, (3, N_MELS, 200)).astype(np.float32)


def test_cantonese_has_its_token_and_moves_the_tasks(large, features):
    tokenizer = large._checkpoint.text_tokenizer("yue", "transcribe")
    assert len(large._checkpoint.languages) == 100
    assert start_sequence(tokenizer) == [50258, YUE, 50360, 50364]
    (answer,) = large.run([Call(features[0], WhisperOptions(language="yue", attention=True))])
    assert isinstance(answer, Answer)
    assert answer.language == "yue"
    assert answer.tokens
    assert all(token < 51866 for token in answer.tokens)


def test_detection_covers_all_hundred_languages(large, features):
    (answer,) = large.run([Call(features[0], WhisperOptions(detect_only=True))])
    assert isinstance(answer, Answer)
    assert len(answer.languages) == 100
    assert "yue" in answer.languages
    assert sum(answer.languages.values()) == pytest.approx(1.0, abs=1e-3)
    assert answer.language == max(answer.languages, key=answer.languages.__getitem__)


def test_attention_has_a_start_for_each_text_token_and_an_end(large, features):
    text = (100, 200, 300)
    calls = [Call(one, WhisperOptions(language="en", attention=True, text_tokens=text)) for one in features]
    for answer in large.run(calls):
        assert isinstance(answer, Answer)
        assert tuple(answer.tokens) == text
        assert len(answer.token_probs) == 3
        assert len(answer.token_starts) == 4
        assert answer.token_starts == sorted(answer.token_starts)
        assert answer.token_starts[0] >= 0
        assert answer.token_starts[-1] <= 2.0


@pytest.mark.parametrize("shape", [(80, 200), (N_MELS, 2 * N_MELS), (N_MELS, 3002), (N_MELS, 201), (N_MELS, 0)])
def test_features_of_another_shape_are_refused_alone(large, features, shape):
    good = Call(features[0], WhisperOptions(language="en", beam_size=1))
    bad = Call(np.zeros(shape, np.float32), WhisperOptions(language="en", beam_size=1))
    first, refused, last = large.run([good, bad, good])
    assert isinstance(refused, WhisperError)
    assert (refused.code, refused.field) == ("INVALID_ARGUMENT", "FEATURES")
    assert isinstance(first, Answer)
    assert first == last


def test_a_short_limit_is_reported(large, features):
    """Random weights never end: they write half the context, less where the prompt takes more than half."""
    plain, prompted = large.run(
        [Call(features[0], WhisperOptions(language="en", beam_size=1, prompt=prompt)) for prompt in ((), (100,) * 223)]
    )
    assert isinstance(plain, Answer)
    assert isinstance(prompted, Answer)
    assert (len(plain.tokens), plain.limit_reached) == (224, True)
    assert 448 - 223 - 5 <= len(prompted.tokens) < 224
    assert prompted.limit_reached


def test_the_pipeline_sees_the_same_checkpoint(large_folder):
    checkpoint = triscribe_transcribe.checkpoint.Checkpoint.read("large", large_folder, tasks=["transcribe"])
    assert checkpoint.n_mels == N_MELS
    assert checkpoint.multilingual
    assert "yue" in checkpoint.languages
    assert checkpoint.text_tokenizer("yue").timestamp_begin == 50365
