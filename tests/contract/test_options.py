"""OPTIONS and RESULT: what is documented, what is accepted and what is sent are the same."""

import json
import re

import jsonschema
import pytest

from tests.harness.paths import REPOSITORY
from triscribe import errors
from triscribe.transcription.options import TranscribeOptions
from triscribe_align.errors import AlignError
from triscribe_transcribe.errors import PipelineError
from triscribe_transcribe.options import Options
from triscribe_whisper.engine import Answer
from triscribe_whisper.options import WhisperOptions

from .test_tensors import section

RESULT = json.loads((REPOSITORY / "docs" / "result.schema.json").read_text())


def named(text):
    """The identifiers in backquotes."""
    return set(re.findall(r"`([a-z]\w*)`", text))


def test_transcribe_options_are_those_documented():
    (listing,) = re.findall(r"^Options \(.*?(?=\n\n)", section("transcribe"), re.M | re.S)
    values = {"base", "transcribe", "translate", "interactive", "bulk"}
    assert named(listing) - values == set(Options.model_fields)


def test_whisper_options_and_answer_are_those_documented():
    (options,) = re.findall(r"^\| OPTIONS in \|.*$", section("whisper"), re.M)
    assert named(options) == set(WhisperOptions.model_fields)
    (answer,) = re.findall(r"^\| RESULT out \|.*$", section("whisper"), re.M)
    assert named(answer) - {"ok"} == set(Answer.__dataclass_fields__)


def test_the_client_sends_only_options_that_exist():
    request = TranscribeOptions(model="m", initial_prompt="p", hotwords="h", beam_size=3).request(
        language="en", priority="bulk"
    )
    assert Options.parse(json.dumps(request).encode()).model_dump(include=set(request)) == request


@pytest.mark.parametrize("name", Options.model_fields)
def test_a_default_survives_the_way_to_the_server(name):
    """It is JSON, and read as what it was."""
    default = Options().model_dump(mode="json")[name]
    assert getattr(Options.parse(json.dumps({name: default}).encode()), name) == getattr(Options(), name)


VALUES = {
    "detect_beside": True,
    "doubt_below": 0.25,
    "retry_within_s": 1.5,
    "model": "base",
    "language": "de",
    "task": "translate",
    "initial_prompt": "Hello.",
    "hotwords": "Triscribe",
    "word_timestamps": False,
    "beam_size": 2,
    "patience": 1.5,
    "temperature": [0.2, 0.4],
    "length_penalty": 0.9,
    "repetition_penalty": 1.1,
    "no_repeat_ngram_size": 3,
    "suppress_tokens": [1, 2],
    "compression_ratio_threshold": 2.0,
    "log_prob_threshold": -0.5,
    "no_speech_threshold": 0.4,
    "priority": "bulk",
    "max_wait_s": 5.0,
    "detect_only": True,
}


def test_every_documented_option_is_taken_as_it_is_sent():
    """All but the defaults, at once: a field that were ignored or read as another would show."""
    assert set(VALUES) == set(Options.model_fields)
    taken = Options.parse(json.dumps(VALUES).encode()).model_dump(mode="json")
    assert {name: list(value) if isinstance(value, list | tuple) else value for name, value in taken.items()} == VALUES
    assert not [name for name, value in Options().model_dump(mode="json").items() if value == VALUES[name]]


def test_the_documented_answer_is_valid():
    (example,) = re.findall(r"^`ok`:\n\n```json\n(.*?)```", section("transcribe"), re.M | re.S)
    jsonschema.validate({"ok": json.loads(example)}, RESULT)


def test_errors_of_every_code_are_valid_and_known_to_the_client():
    codes = set(RESULT["$defs"]["error"]["properties"]["code"]["enum"])
    assert codes <= set(errors.SERVER_ERRORS)
    for code in codes:
        jsonschema.validate(PipelineError(code, "why", "OPTIONS.x", 1.5).envelope(), RESULT)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"ok": {}},
        {"error": {"code": "BROKEN", "field": None, "message": "m", "retry_after_s": None}},
        {"error": {"code": "INTERNAL", "field": None, "message": "", "retry_after_s": None}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_is_no_envelope(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, RESULT)


def test_the_aligner_has_the_same_kind_of_error():
    raised = AlignError("FAILED_PRECONDITION", "why", "LANGUAGE")
    assert (raised.code, str(raised), raised.field) == ("FAILED_PRECONDITION", "why", "LANGUAGE")
