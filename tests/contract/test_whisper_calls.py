"""`transcribe` and `whisper` without Triton between them: what one sends is what the other takes, for every option."""

import asyncio
import json
from dataclasses import asdict

import jsonschema
import pytest

from triscribe_transcribe.options import Options
from triscribe_transcribe.service import Request, Service, Settings
from triscribe_whisper.checkpoint import Checkpoint
from triscribe_whisper.device import load
from triscribe_whisper.engine import Answer, Call, Engine
from triscribe_whisper.options import WhisperOptions

from .test_options import RESULT


@pytest.fixture(scope="module")
def service(base_folder):
    engine = Engine(load(str(base_folder), device="cpu"), Checkpoint.read(base_folder))
    sent: set[str] = set()

    async def call(model, tensors):
        assert model == "whisper-base"
        texts = [row.tobytes() for row in tensors["OPTIONS"]]
        sent.update(*map(json.loads, texts))
        rows = zip(tensors["FEATURES"], texts, strict=True)
        answers = engine.run([Call(features, WhisperOptions.parse(text)) for features, text in rows])
        assert all(isinstance(answer, Answer) for answer in answers), answers
        return [{"ok": json.loads(json.dumps(asdict(answer)))} for answer in answers if isinstance(answer, Answer)]

    models = {"base": {"path": str(base_folder), "tasks": ["transcribe", "translate"], "languages": []}}
    service = Service(models=models, aligner_languages=frozenset(), settings=Settings(), call=call)
    return service, sent


def ask(service, samples, **options):
    request = Request(samples, "AUDIO", json.dumps(options).encode())
    return json.loads(json.dumps(asyncio.run(service.handle(request))))


@pytest.mark.parametrize(
    "options",
    [
        {"language": "en"},
        {"task": "translate", "language": "en"},
        {"word_timestamps": False},
        {"detect_only": True},
        {
            "language": "en",
            "initial_prompt": "A call.",
            "hotwords": "Chicago",
            "beam_size": 2,
            "patience": 1.5,
            "temperature": [0.2],
            "length_penalty": 0.8,
            "repetition_penalty": 1.1,
            "no_repeat_ngram_size": 4,
            "suppress_tokens": [-1, 50],
        },
        {"language": "en", "detect_beside": True, "doubt_below": 0.2, "retry_within_s": 1.0},
    ],
    ids=lambda options: ",".join(options) or "defaults",
)
def test_every_option_of_transcribe_is_understood(service, conversation, options):
    service, _ = service
    assert set(options) <= set(Options.model_fields)
    envelope = ask(service, conversation.part(17.5, 22), **options)
    jsonschema.validate(envelope, RESULT)
    assert envelope["ok"]["language"] == "en"
    assert bool(envelope["ok"]["segments"]) != options.get("detect_only", False)


def test_what_transcribe_sends_is_all_that_whisper_takes(service, conversation):
    """Options that nobody sends would be dead; a text to be timed is sent where an aligner has failed."""
    service, sent = service
    ask(service, conversation.part(17.5, 22), language="en")
    ask(service, conversation.part(17.5, 22), detect_only=True)
    ask(service, conversation.part(17.5, 22), retry_within_s=1.0)
    assert sent | {"text_tokens"} == set(WhisperOptions.model_fields)
