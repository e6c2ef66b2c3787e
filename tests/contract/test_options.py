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
def test_the_documented_example_and_the_schema_agree_with_every_option(name):
    """Defaults are JSON, and survive the way to the server."""
    default = Options().model_dump(mode="json")[name]
    assert getattr(Options.parse(json.dumps({name: default}).encode()), name) == getattr(Options(), name)


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
