"""The description that is checked in is the one that is served, and one that tools can read."""

from __future__ import annotations

import json

import jsonschema
import schemathesis

from tests.harness.paths import REPOSITORY
from tests.unit.gateway_http.test_transcripts import TALK
from triscribe.gateway.http import openapi, transcripts
from triscribe.gateway.http.written import json_response


def test_the_document_in_docs_is_current():
    assert (REPOSITORY / "docs" / "openapi.json").read_text() == openapi.text(), "run scripts/write_openapi"


def test_it_is_well_formed():
    assert len(list(schemathesis.openapi.from_dict(openapi.document()).get_all_operations())) == 6


def test_answers_are_what_it_says():
    schema = {"components": openapi.document()["components"]}
    for name, body in {
        "Transcription": transcripts.transcription(TALK, logprobs=True),
        "TranscriptionVerbose": transcripts.verbose(TALK, segments=True, words=True),
        "TranscriptionDiarized": transcripts.diarized(TALK, ()),
    }.items():
        answer = json.loads(bytes(json_response(body).body))
        jsonschema.validate(answer, schema | {"$ref": f"#/components/schemas/{name}"})
