"""The description of the API, made from the types that it is served with; `scripts/write_openapi` keeps it in docs."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from triscribe.gateway.http import bodies
from triscribe.gateway.http.parameters import TranslationForm
from triscribe.gateway.http.transcription_form import TranscriptionForm

_REF = "#/components/schemas/{model}"
_ERRORS = {
    "400": "A field, the file or the form is wrong.",
    "401": "The token is missing or wrong.",
    "403": "A web page that is not named calls.",
    "404": "No such model.",
    "408": "The body stalled.",
    "413": "The file is larger, or longer, than this gateway takes.",
    "415": "The body is no multipart form.",
    "422": "The model, or this gateway, lacks the feature.",
    "429": "Busy: come back after `Retry-After`.",
    "500": "A fault of the gateway.",
    "503": "Loading, restarting or shutting down: come back after `Retry-After`.",
    "504": "The work took too long.",
}
_TEXT = {"schema": {"type": "string"}}
_STRING = {"type": "string"}
_ANSWERS: tuple[type[BaseModel], ...] = (
    bodies.Transcription,
    bodies.TranscriptionVerbose,
    bodies.TranscriptionDiarized,
    bodies.TextDelta,
    bodies.DiarizedSegment,
    bodies.TextDone,
    bodies.ModelList,
    bodies.Model,
    bodies.ErrorBody,
)


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    _, forms = models_json_schema(
        [(form, "validation") for form in (TranscriptionForm, TranslationForm)], ref_template=_REF
    )
    _, answers = models_json_schema([(answer, "serialization") for answer in _ANSWERS], ref_template=_REF)
    schemas = forms["$defs"] | answers["$defs"]
    for form in ("TranscriptionForm", "TranslationForm"):
        schemas[form] = _as_sent(schemas[form])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Triscribe",
            "version": version("triscribe"),
            "description": "OpenAI's audio API over Triscribe; docs/http.md says what differs.",
        },
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def text() -> str:
    """The document as it lies in `docs/openapi.json`."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _as_sent(form: dict[str, Any]) -> dict[str, Any]:
    """Arrays are sent as `name[]`, and the file goes with the fields."""
    fields = {
        f"{name}[]" if field.get("type") == "array" else name: field for name, field in form["properties"].items()
    }
    file = {"type": "string", "format": "binary", "description": "Any audio or video; its content says what it is."}
    return {**form, "properties": {"file": file, **fields}, "required": ["file"]}


def _paths() -> dict[str, Any]:
    written = {"text/plain": _TEXT, "text/vtt": _TEXT}
    ours = {"text/tab-separated-values": _TEXT, "text/html": _TEXT, "text/event-stream": _TEXT}
    answers = _any_of(bodies.Transcription, bodies.TranscriptionVerbose, bodies.TranscriptionDiarized)
    whole = _any_of(bodies.Transcription, bodies.TranscriptionVerbose)
    unspecified = {"schema": {"type": "object"}}  # docs/transcript.schema.json describes our own
    answers["schema"]["anyOf"].append(unspecified["schema"])
    name = {"name": "model", "in": "path", "required": True, "schema": _STRING}
    return {
        "/v1/audio/transcriptions": {
            "post": _operation(
                "createTranscription", {"application/json": answers, **written, **ours}, _form("TranscriptionForm")
            )
        },
        "/v1/audio/translations": {
            "post": _operation("createTranslation", {"application/json": whole, **written}, _form("TranslationForm"))
        },
        "/v1/models": {"get": _operation("listModels", {"application/json": _of(bodies.ModelList)})},
        "/v1/models/{model}": {
            "get": _operation("retrieveModel", {"application/json": _of(bodies.Model)}, {"parameters": [name]})
        },
        "/health": {
            "get": {
                "operationId": "health",
                "security": [{}],
                "responses": {
                    "200": {"description": "Calls can be answered.", "content": {"application/json": unspecified}},
                    "503": {"description": "They cannot.", "content": {"application/json": unspecified}},
                },
            }
        },
        "/metrics": {"get": _operation("metrics", {"text/plain": _TEXT})},
    }


def _form(name: str) -> dict[str, Any]:
    content = {"multipart/form-data": {"schema": {"$ref": _REF.format(model=name)}}}
    return {"requestBody": {"required": True, "content": content}}


def _operation(name: str, content: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    refusal = {"application/json": _of(bodies.ErrorBody)}
    responses = {status: {"description": text, "content": refusal} for status, text in _ERRORS.items()}
    return {
        "operationId": name,
        **(more or {}),
        "responses": {"200": {"description": "As asked for.", "content": content}, **responses},
    }


def _of(kind: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": _REF.format(model=kind.__name__)}}


def _any_of(*kinds: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"anyOf": [_of(kind)["schema"] for kind in kinds]}}
