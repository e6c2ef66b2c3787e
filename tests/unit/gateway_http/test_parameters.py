"""Every field of OpenAI's forms: taken over or refused, never left out in silence."""

from __future__ import annotations

import json
import re
import typing
from dataclasses import replace
from typing import Any

import pytest
from openai.types.audio import transcription_create_params, translation_create_params

from tests.harness.paths import REPOSITORY
from triscribe.errors import InvalidArgumentError
from triscribe.gateway.http.forms import Form
from triscribe.gateway.http.parameters import TranslationForm, parsed
from triscribe.gateway.http.transcription_form import TranscriptionForm
from triscribe.service.requests import RecognitionRequest


def form(**fields: Any) -> Form:
    named = {name.replace("__", "[") + "]" * ("__" in name): value for name, value in fields.items()}
    return Form({name: value if isinstance(value, list) else [value] for name, value in named.items()}, True)


def request(**fields: Any) -> RecognitionRequest:
    return parsed(TranscriptionForm, form(**fields)).request("base")


def test_every_field_of_the_sdk_is_known():
    streamed = transcription_create_params.TranscriptionCreateParamsStreaming
    transcription = set(typing.get_type_hints(streamed))
    assert transcription > {"known_speaker_references", "stream", "keywords"}
    assert transcription - {"file"} <= set(TranscriptionForm.model_fields)
    translation = set(typing.get_type_hints(translation_create_params.TranslationCreateParams))
    assert translation - {"file"} <= set(TranslationForm.model_fields)


def test_the_table_of_the_docs_has_every_field_once():
    table = (
        (REPOSITORY / "docs" / "http.md").read_text().partition("## Every field")[2].partition("Translations take")[0]
    )
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    told = [name.removesuffix("[]") for cell in first_cells for name in re.findall(r"`([\w\[\]]+)`", cell)]
    assert sorted(told) == sorted([*TranscriptionForm.model_fields, "file"])


VAD = {"type": "server_vad", "threshold": 0.4, "prefix_padding_ms": 200, "silence_duration_ms": 700}
KNOWN = {
    "known_speaker_names": ["Ada", "Bo"],
    "known_speaker_references": ["data:audio/wav;base64,YQ==", "data:;base64,Yg=="],
}
VOICE = {"threshold": 0.4, "pad_s": 0.2, "min_silence_s": 0.7}


@pytest.mark.parametrize(
    ("fields", "made"),
    [
        ({}, RecognitionRequest()),
        ({"model": "whisper-1"}, RecognitionRequest()),
        ({"model": "tiny.en"}, RecognitionRequest(model="tiny.en")),
        ({"language": "de"}, RecognitionRequest(language="de")),
        ({"languages": ["de", "fr"]}, RecognitionRequest(languages=("de", "fr"))),
        ({"prompt": "Hi."}, RecognitionRequest(initial_prompt="Hi.")),
        ({"keywords": ["Ada", "B, C"]}, RecognitionRequest(hotwords=("Ada", "B, C"))),
        ({"hotwords": "Ada, Bo ,", "keywords": ["Cy"]}, RecognitionRequest(hotwords=("Cy", "Ada", "Bo"))),
        ({"temperature": "0"}, RecognitionRequest()),
        ({"temperature": "0.4"}, RecognitionRequest(decoding={"temperature": [0.4]})),
        ({"beam_size": "3"}, RecognitionRequest(decoding={"beam_size": 3})),
        ({"vad_filter": "false"}, RecognitionRequest(voice_detection=False)),
        ({"script": "traditional"}, RecognitionRequest(script="traditional")),
        ({"chunking_strategy": "auto"}, RecognitionRequest()),
        ({"chunking_strategy": json.dumps(VAD)}, RecognitionRequest(voice=VOICE)),
        ({f"chunking_strategy__{key}": str(value) for key, value in VAD.items()}, RecognitionRequest(voice=VOICE)),
        ({"diarize": "true"}, RecognitionRequest(diarization={})),
        ({"diarize": "false"}, RecognitionRequest()),
        ({"response_format": "diarized_json"}, RecognitionRequest(diarization={})),
        ({"response_format": "rttm"}, RecognitionRequest(diarization={})),
        (KNOWN, RecognitionRequest(diarization={}, known_speakers={"Ada": b"a", "Bo": b"b"})),
        (
            {"min_speakers": "2", "max_speakers": "3"},
            RecognitionRequest(diarization={"min_speakers": 2, "max_speakers": 3}),
        ),
    ],
)
def test_what_fields_become(fields, made):
    assert request(**fields) == replace(made, model="base")


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"modle": "x"}, "modle", "no field"),
        ({"model": ["a", "b"]}, "model", "2 times"),
        ({"temperature": "1.5"}, "temperature", "less than or equal"),
        ({"temperature": "nan"}, "temperature", "number"),
        ({"temperature": "hot"}, "temperature", "number"),
        ({"beam_size": "0"}, "beam_size", "greater"),
        ({"stream": "perhaps"}, "stream", "boolean"),
        ({"stream": "true", "response_format": "srt"}, "stream", "cannot be streamed"),
        ({"response_format": "pdf"}, "response_format", "json"),
        ({"include": ["logprobs"], "response_format": "srt"}, "include", "json only"),
        ({"include": ["thoughts"]}, "include", "logprobs"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities", "verbose_json only"),
        ({"timestamp_granularities": ["line"], "response_format": "verbose_json"}, "timestamp_granularities", "word"),
        ({"chunking_strategy": "manual"}, "chunking_strategy", "auto"),
        ({"chunking_strategy": "{"}, "chunking_strategy", "JSON"),
        ({"chunking_strategy": "[" * 100_000}, "chunking_strategy", "auto"),
        ({"chunking_strategy": '{"a":' * 100_000}, "chunking_strategy", "JSON"),
        ({"chunking_strategy__type": "semantic_vad"}, "chunking_strategy", "server_vad"),
        ({"chunking_strategy__type": "server_vad", "chunking_strategy__x": "1"}, "chunking_strategy", "x"),
        ({"chunking_strategy": "auto", "chunking_strategy__type": "server_vad"}, "chunking_strategy", "twice"),
        ({"chunking_strategy__type": "server_vad", "vad_filter": "0"}, "chunking_strategy", "vad_filter"),
        ({"diarize": "false", "num_speakers": "2"}, "diarize", "speakers"),
        ({"diarize": "false", "response_format": "diarized_json"}, "diarize", "speakers"),
        ({"script": "cursive"}, "script", "simplified"),
        ({"known_speaker_names": ["a"] * 5}, "known_speaker_names", "at most 4"),
        ({"known_speaker_names": ["Ada"]}, "known_speaker_references", "1 names and 0 references"),
        (KNOWN | {"known_speaker_names": ["Ada", "Ada"]}, "known_speaker_references", "once"),
        (KNOWN | {"known_speaker_references": ["YQ==", "Yg=="]}, "known_speaker_references", "data URL"),
        (KNOWN | {"known_speaker_references": ["data:,a", "data:x;base64,b!"]}, "known_speaker_references", "data URL"),
        (KNOWN | {"diarize": "false"}, "diarize", "speakers"),
    ],
)
def test_what_is_refused_and_by_which_name(fields, param, says):
    with pytest.raises(InvalidArgumentError, match=says) as caught:
        request(**fields)
    assert caught.value.field == param


def test_a_form_without_a_file():
    with pytest.raises(InvalidArgumentError, match="no file"):
        parsed(TranslationForm, Form({}, False))


def test_translations_write_english_and_take_no_fields_of_transcriptions():
    assert parsed(TranslationForm, form(prompt="Hi.")).request("base").task == "translate"
    with pytest.raises(InvalidArgumentError, match="no field 'diarize'"):
        parsed(TranslationForm, form(diarize="true"))
