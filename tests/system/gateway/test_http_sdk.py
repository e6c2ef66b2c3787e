"""The official Python package, unmodified, against the real gateway on real speech, and against the gRPC door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import jsonschema
import openai
import openai.types.audio as sdk
import pytest
import webvtt

from tests.harness.audio import SAMPLE_CUTS_S, wav
from tests.harness.gateway import gateway_process
from tests.harness.paths import REPOSITORY
from tests.harness.ports import free_port
from tests.harness.processes import wait_for
from tests.system.gateway.conftest import HTTP_MODEL as MODEL
from triscribe.client import Client, RecognitionOptions


@pytest.fixture(scope="module")
def ai(http_gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://{http_gateway.http_address}/v1", api_key="any") as client:
        yield client


@pytest.fixture(scope="module")
def clip(conversation) -> bytes:
    """Two sentences of two people."""
    return wav(conversation.part(10.0, 16.0))


@pytest.fixture(scope="module")
def create(ai, clip):
    def create(**fields: Any) -> Any:
        return ai.audio.transcriptions.create(**{"file": ("a.bin", clip), "model": "whisper-1"} | fields)

    return create


@pytest.fixture(scope="module")
def text(create) -> str:
    answer = create()
    assert isinstance(answer, sdk.Transcription)
    assert answer.usage
    assert answer.usage.type == "duration"
    assert answer.usage.seconds == 6.0
    assert answer.languages
    assert answer.languages[0].code == "en"
    assert "New Jersey" in answer.text
    return answer.text


def test_plain_formats_are_strings(create, text):
    assert create(response_format="text") == f"{text}\n"
    srt, vtt = create(response_format="srt"), create(response_format="vtt")
    assert "-->" in srt
    captions = webvtt.from_string(vtt)
    assert " ".join(caption.text.replace("\n", " ") for caption in captions) == text


def test_verbose_json_and_granularities(create, text):
    both = create(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert isinstance(both, sdk.TranscriptionVerbose)
    assert (both.text, both.duration, both.language) == (text, 6.0, "english")
    assert " ".join(segment.text for segment in both.segments or ()) == text
    words = both.words or []
    assert " ".join(word.word for word in words) == text
    assert all(0 <= word.start < word.end <= 6.0 for word in words)
    assert create(response_format="verbose_json").words is None
    assert create(response_format="verbose_json", timestamp_granularities=["word"]).segments is None


def test_log_probabilities(create, text):
    scores = create(include=["logprobs"]).logprobs
    assert "".join(score.token for score in scores) == text
    assert all(score.logprob <= 0 and bytes(map(int, score.bytes)).decode() == score.token for score in scores)


def test_a_stream(create, text):
    *deltas, done = create(stream=True)
    assert "".join(event.delta for event in deltas) == done.text == text
    assert {type(event) for event in deltas} == {sdk.TranscriptionTextDeltaEvent}
    assert isinstance(done, sdk.TranscriptionTextDoneEvent)


def test_our_formats(create, text):
    def ours(name: str) -> str:
        raw = create(response_format="text", extra_body={"response_format": name})
        return str(raw)

    document = json.loads(ours("triscribe_json"))
    jsonschema.validate(document, json.loads((REPOSITORY / "docs" / "transcript.schema.json").read_text()))
    assert document["text"] == text
    assert ours("tsv").startswith("start_ms\tend_ms")
    assert "[Script Info]" in ours("ass")
    assert "<!doctype html>" in ours("html")
    assert ours("txt").split() == text.split()


def test_wishes_are_heard(create, text):
    """Fields that change the text, or may not."""
    assert create(language="en", temperature=0.0, chunking_strategy="auto").text == text
    vad = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}
    assert "New Jersey" in create(chunking_strategy=vad).text
    assert "Dyan" in create(keywords=["Dyan"], prompt="This is Dyan.").text


def test_a_translation(ai, clip):
    answer = ai.audio.translations.create(file=("a.wav", clip), model="base")
    assert isinstance(answer, sdk.Translation)
    assert answer.text
    verbose = ai.audio.translations.create(file=("a.wav", clip), model="base", response_format="verbose_json")
    assert isinstance(verbose, sdk.TranslationVerbose)
    assert verbose.language == "english"
    assert verbose.segments
    with pytest.raises(openai.UnprocessableEntityError, match="cannot translate"):
        ai.audio.translations.create(file=("a.wav", clip), model=MODEL)


def test_models(ai):
    models = {model.id: model for model in ai.models.list()}
    assert {"base", MODEL, "whisper-1"} == set(models)
    assert ai.models.retrieve("whisper-1") == models["whisper-1"]
    with pytest.raises(openai.NotFoundError):
        ai.models.retrieve("nova-3")


@pytest.mark.parametrize("cut", SAMPLE_CUTS_S[:5])
def test_both_doors_give_equal_text_and_times(http_gateway, create, conversation, cut):
    recording = wav(conversation.part(*cut))
    with Client(http_gateway.address) as client:
        expected = client.recognize(recording, RecognitionOptions(model=MODEL))
    wanted = ["word", "segment"]
    answer = create(file=("a", recording), response_format="verbose_json", timestamp_granularities=wanted)
    assert answer.text == expected.text
    words = [word for segment in expected.segments for word in segment.words]
    assert [(word.word, word.start, word.end) for word in answer.words] == [
        (word.word.strip(), round(word.start, 3), round(word.end, 3)) for word in words
    ]
    spans = [(round(segment.start, 3), round(segment.end, 3)) for segment in expected.segments]
    assert [(segment.start, segment.end) for segment in answer.segments] == spans


def test_the_file_is_known_by_its_content(create, clip, text):
    assert create(file=("../../etc/passwd.mp3", clip, "image/png")).text == text


def test_open_calls_finish_after_sigterm(server, clip, text):
    with gateway_process(server.url, http_port=free_port()) as own, ThreadPoolExecutor() as threads:
        url = f"http://{own.http_address}"
        with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
            ask = partial(client.audio.transcriptions.create, file=("a", clip), model=MODEL)
            calls: list[Future[Any]] = [threads.submit(ask), threads.submit(lambda: list(ask(stream=True)))]
            open_calls = 'in_flight{method="CreateTranscription"} 2.0'
            assert wait_for(lambda: open_calls in httpx.get(f"{url}/metrics", trust_env=False).text, 30)
            own.terminate()
            whole, events = (call.result(60) for call in calls)
    assert whole.text == events[-1].text == text
    assert own.process.wait(30) == 0
