import json

import pytest

from triscribe_transcribe.errors import PipelineError
from triscribe_transcribe.options import MAX_OPTIONS_BYTES, Options

BAD = {
    "model": 3,
    "language": "xx",
    "task": "summarise",
    "initial_prompt": ["a"],
    "hotwords": 7,
    "word_timestamps": "perhaps",
    "detect_only": 2,
    "detect_beside": 2,
    "doubt_below": 1.5,
    "retry_within_s": -1,
    "priority": "urgent",
    "max_wait_s": 0,
    "beam_size": 17,
    "patience": 0,
    "temperature": [0.0, 2.5],
    "length_penalty": 9,
    "repetition_penalty": 0,
    "no_repeat_ngram_size": -1,
    "suppress_tokens": ["a"],
    "compression_ratio_threshold": 0,
    "log_prob_threshold": "low",
    "no_speech_threshold": 1.5,
}


def test_every_option_has_a_bad_value_here():
    assert set(BAD) == set(Options.model_fields)


@pytest.mark.parametrize("field", BAD)
def test_an_error_names_its_field(field):
    with pytest.raises(PipelineError) as caught:
        Options.parse(json.dumps({field: BAD[field]}).encode())
    assert caught.value.code == "INVALID_ARGUMENT"
    assert caught.value.field is not None
    assert caught.value.field.split(".")[:2] == ["OPTIONS", field]
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"{", "OPTIONS"),
        (b"\xff\xff", "OPTIONS"),
        (b"null", "OPTIONS"),
        (b"[]", "OPTIONS"),
        (b'{"beam_sizes": 5}', "OPTIONS.beam_sizes"),
        (b'{"log_prob_threshold": NaN}', "OPTIONS"),
        (b" " * (MAX_OPTIONS_BYTES + 1), "OPTIONS"),
    ],
)
def test_what_is_no_object_of_known_options_is_refused(text, field):
    with pytest.raises(PipelineError) as caught:
        Options.parse(text)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert (caught.value.field or "").startswith(field)


@pytest.mark.parametrize("text", [None, b"", b"{}"])
def test_nothing_means_the_defaults(text):
    assert Options.parse(text) == Options()


def test_one_number_stands_for_a_list_of_one():
    options = Options.parse(b'{"temperature": 0.2, "suppress_tokens": 5}')
    assert options.temperature == (0.2,)
    assert options.suppress_tokens == (5,)


def test_cantonese_is_a_language_whatever_the_checkpoint():
    assert Options.parse(b'{"language": "yue"}').language == "yue"
