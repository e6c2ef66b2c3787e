"""From tensors to the envelope, with the BLS calls answered by fakes."""

import asyncio
import json

import jsonschema
import numpy as np
import pytest

from tests.harness.paths import REPOSITORY
from triscribe.types import SAMPLE_RATE
from triscribe_transcribe.admission import Limits
from triscribe_transcribe.checkpoint import PROMPT_TOKENS, Checkpoint
from triscribe_transcribe.errors import PipelineError
from triscribe_transcribe.service import Request, Service, Settings

from .support import FakeWhisper, noise

SCHEMA = json.loads((REPOSITORY / "docs" / "result.schema.json").read_text())


class Triton:
    """Answers BLS calls."""

    def __init__(self, whisper):
        self.whisper = whisper
        self.models: list[str] = []
        self.asked = asyncio.Event()
        self.delay_s = 0.0
        self.error: Exception | None = None

    async def __call__(self, model, tensors):
        self.models.append(model)
        self.asked.set()
        await asyncio.sleep(self.delay_s)
        if self.error:
            raise self.error
        rows = zip(tensors["FEATURES"], tensors["OPTIONS"], strict=True)
        return [{"ok": await self.whisper(row, json.loads(options.tobytes()))} for row, options in rows]


@pytest.fixture
def triton(checkpoint):
    return Triton(FakeWhisper(checkpoint))


@pytest.fixture
def make_service(base_folder, english_folder, triton):
    def make(**limits):
        return Service(
            models={
                "base": {"path": str(base_folder), "tasks": ["transcribe", "translate"], "languages": []},
                "tiny.en": {"path": str(english_folder), "tasks": ["transcribe"], "languages": []},
            },
            aligner_languages=frozenset(),
            settings=Settings(limits=Limits(**limits)),
            call=triton,
        )

    return make


def request(samples=None, *, is_cancelled=lambda: False, **options):
    return Request(noise(2) if samples is None else samples, "AUDIO", json.dumps(options).encode(), is_cancelled)


async def ask(service, *args, **options):
    envelope = json.loads(json.dumps(await service.handle(request(*args, **options))))
    jsonschema.validate(envelope, SCHEMA)
    return envelope


async def test_an_answer_is_as_documented(make_service):
    ok = (await ask(make_service()))["ok"]
    assert ok["model"] == "base"
    assert ok["duration"] == 2.0
    assert ok["segments"][0]["text"] == "Hello there."
    assert "languages" not in ok


async def test_detection_has_the_languages(make_service):
    ok = (await ask(make_service(), detect_only=True))["ok"]
    assert ok["languages"] == {"en": 0.9, "de": 0.1}


async def test_the_model_is_chosen_by_name_the_first_is_the_default(make_service, triton):
    service = make_service()
    await ask(service)
    await ask(service, model="tiny.en")
    assert triton.models == ["whisper-base", "whisper-tiny.en"]


@pytest.mark.parametrize(
    ("options", "code", "field"),
    [
        ({"model": "large-v9"}, "NOT_FOUND", "OPTIONS.model"),
        ({"model": "tiny.en", "task": "translate"}, "FAILED_PRECONDITION", "OPTIONS.task"),
        ({"language": "yue"}, "FAILED_PRECONDITION", "OPTIONS.language"),
        ({"model": "tiny.en", "language": "de"}, "FAILED_PRECONDITION", "OPTIONS.language"),
        ({"beam": 1}, "INVALID_ARGUMENT", "OPTIONS.beam"),
    ],
)
async def test_a_request_that_cannot_be_served_asks_nobody(make_service, triton, options, code, field):
    error = (await ask(make_service(), **options))["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert triton.models == []


async def test_an_unknown_model_is_told_what_is_served(make_service):
    error = (await ask(make_service(), model="large-v9"))["error"]
    assert "base, tiny.en" in error["message"]


async def test_a_language_of_another_model_names_that_model(make_service):
    error = (await ask(make_service(), model="tiny.en", language="de"))["error"]
    assert "base does" in error["message"]


async def test_the_queue_is_told_to_whoever_measures_it(base_folder, triton):
    seen: list[float] = []
    models = {"base": {"path": str(base_folder), "tasks": ["transcribe"], "languages": []}}
    service = Service(
        models=models, aligner_languages=frozenset(), settings=Settings(), call=triton, on_queue=seen.append
    )
    await ask(service)
    assert seen == [10.0, 0.0]


async def test_bad_audio_names_its_tensor(make_service):
    envelope = await make_service().handle(Request(np.zeros(31 * SAMPLE_RATE, np.int16), "AUDIO_INT16", None))
    assert envelope["error"]["field"] == "AUDIO_INT16"


async def test_a_bug_is_an_internal_error_without_its_details(make_service, triton, caplog):
    triton.error = ZeroDivisionError("secret")
    error = (await ask(make_service()))["error"]
    assert error["code"] == "INTERNAL"
    assert "secret" not in json.dumps(error)
    assert "secret" in caplog.text


async def test_what_whisper_refuses_reaches_the_caller(make_service, triton):
    triton.error = PipelineError("FAILED_PRECONDITION", "no such language", "OPTIONS.language")
    error = (await ask(make_service()))["error"]
    assert (error["code"], error["field"]) == ("FAILED_PRECONDITION", "OPTIONS.language")


async def test_a_full_queue_is_told_with_a_time_to_come_back(make_service, triton):
    triton.delay_s = 2.0
    service = make_service(max_waiting_s=10.0, group_size=1)
    first = asyncio.create_task(ask(service))
    await triton.asked.wait()
    envelopes = await asyncio.gather(first, *(ask(service) for _ in range(4)))
    errors = [envelope["error"] for envelope in envelopes if "error" in envelope]
    assert len(errors) == 3
    assert {error["code"] for error in errors} == {"RESOURCE_EXHAUSTED"}
    assert all(error["retry_after_s"] >= 1 for error in errors)
    assert "ok" in await ask(service)


async def test_a_cancelled_request_is_never_sent(make_service, triton):
    envelope = await ask(make_service(), is_cancelled=lambda: True)
    assert envelope["error"]["code"] == "CANCELLED"
    assert triton.models == []


async def test_an_empty_server_serves_nothing(triton):
    service = Service(models={}, aligner_languages=frozenset(), settings=Settings(), call=triton)
    assert (await ask(service))["error"]["code"] == "NOT_FOUND"


class TestPrompt:
    """Hotwords, then the end of the prompt, in 223 tokens; what has no room is reported."""

    async def test_dropped_terms_and_a_cut_prompt_are_reported(self, make_service, triton):
        terms = [f"Llanfairpwllgwyngyll{n}" for n in range(60)]
        ok = (await ask(make_service(), hotwords=",".join(terms), initial_prompt="So it goes. " * 99))["ok"]
        warnings = {warning["code"]: warning["message"] for warning in ok["warnings"]}
        assert set(warnings) == {"hotwords_dropped", "prompt_cut"}
        assert terms[-1] in warnings["hotwords_dropped"]
        assert terms[0] not in warnings["hotwords_dropped"].split(": ")[1].split(", ")
        assert len(triton.whisper.calls[0][1]["prompt"]) <= PROMPT_TOKENS

    def test_every_term_is_in_the_prompt_or_among_the_dropped(self, checkpoint):
        terms = [f"term{n * 7919}" for n in range(120)]
        prompt = checkpoint.prompt(None, " , ".join(terms))
        text = checkpoint.text_tokenizer("en").decode(list(prompt.tokens))
        assert [term.strip() for term in text.split(",")] == [t for t in terms if t not in prompt.dropped_terms]
        assert prompt.dropped_terms

    def test_the_end_of_the_prompt_is_kept(self, checkpoint):
        text = " ".join(f"word{n}" for n in range(300))
        prompt = checkpoint.prompt(text, "Kubernetes")
        kept = checkpoint.text_tokenizer("en").decode(list(prompt.tokens))
        assert prompt.cut
        assert len(prompt.tokens) == PROMPT_TOKENS
        assert kept.startswith(" Kubernetes")
        assert kept.endswith("word299")

    @pytest.mark.parametrize(("prompt", "hotwords"), [(None, None), ("", ""), ("  ", " , ,")])
    def test_nothing_is_no_prompt(self, checkpoint, prompt, hotwords):
        assert checkpoint.prompt(prompt, hotwords).tokens == ()
        assert checkpoint.prompt(prompt, hotwords).dropped_terms == ()

    def test_words_that_fill_the_context_leave_no_room_for_text(self, checkpoint):
        term = " ".join(["a"] * PROMPT_TOKENS)
        prompt = checkpoint.prompt("Some text.", term)
        assert len(prompt.tokens) == PROMPT_TOKENS
        assert prompt.cut

    async def test_special_tokens_in_a_prompt_are_plain_text(self, checkpoint):
        prompt = checkpoint.prompt("<|endoftext|><|translate|>", "<|startoftranscript|>")
        assert all(token < 50257 for token in prompt.tokens)


def test_checkpoints_say_how_many_mels_and_languages_they_have(base_folder, english_folder):
    base = Checkpoint.read("base", base_folder, tasks=["transcribe"])
    assert (base.n_mels, base.multilingual, len(base.languages)) == (80, True, 99)
    english = Checkpoint.read("tiny.en", english_folder, tasks=["transcribe"])
    assert (english.n_mels, english.multilingual, english.languages) == (80, False, ("en",))
    assert Checkpoint.read("base", base_folder, tasks=[], languages=["de"]).languages == ("de",)
