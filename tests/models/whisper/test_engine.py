"""Grouping, splitting and the formats of numbers, with a model that only counts."""

import logging
from types import SimpleNamespace

import ctranslate2
import numpy as np
import pytest

from triscribe_whisper import device
from triscribe_whisper.checkpoint import Checkpoint
from triscribe_whisper.engine import Answer, Call, Engine
from triscribe_whisper.errors import WhisperError
from triscribe_whisper.options import WhisperOptions


class Encoded(np.ndarray):
    """Encoder output that is on the CPU already."""

    def to_device(self, device, /, *, stream=None):
        return self


class CountingModel:
    """Stands for ctranslate2's Whisper: runs at most `room` chunks at once and answers with the mean of each."""

    n_mels = 80

    def __init__(self, room=100, message="CUDA failed with error out of memory"):
        self.room = room
        self.message = message
        self.executions: list[int] = []

    def encode(self, features):
        batch = np.asarray(features)
        self.executions.append(len(batch))
        if len(batch) > self.room:
            raise RuntimeError(self.message)
        return batch.mean(axis=(1, 2)).view(Encoded)

    def detect_language(self, encoded):
        return [[("<|en|>", 0.75), ("<|de|>", 0.25)] for _ in encoded]

    def generate(self, encoded, prompts, **options):
        return [
            SimpleNamespace(sequences_ids=[[int(value)]], scores=[-0.5], no_speech_prob=0.0)
            for value in np.asarray(encoded)
        ]


@pytest.fixture(scope="module")
def checkpoint(base_folder):
    return Checkpoint.read(base_folder)


def call(value, frames=1000, **options):
    return Call(np.full((80, frames), value, np.float32), WhisperOptions(**{"language": "en", **options}))


def values(answers):
    return [answer.tokens[0] if isinstance(answer, Answer) else answer.code for answer in answers]


def test_equal_buckets_and_options_share_an_execution(checkpoint):
    model = CountingModel()
    answers = Engine(model, checkpoint).run([call(1), call(2), call(3)])
    assert model.executions == [3]
    assert values(answers) == [1, 2, 3]


@pytest.mark.parametrize(
    "other",
    [
        {"frames": 1500},
        {"prompt": (5,)},
        {"language": None},
        {"beam_size": 1},
        {"temperature": 0.4},
        {"task": "translate"},
        {"suppress_tokens": ()},
    ],
    ids=str,
)
def test_what_differs_runs_apart_and_order_is_kept(checkpoint, other):
    model = CountingModel()
    answers = Engine(model, checkpoint).run([call(1), call(2, **other), call(3)])
    assert sorted(model.executions) == [1, 2]
    assert values(answers) == [1, 2, 3]


@pytest.mark.parametrize("other", [{"language": "de"}, {"content_frames": 500}], ids=str)
def test_languages_and_lengths_of_content_share_an_execution(checkpoint, other):
    model = CountingModel()
    Engine(model, checkpoint).run([call(1), call(2, **other)])
    assert model.executions == [2]


def test_prompts_of_equal_length_share_an_execution(checkpoint):
    model = CountingModel()
    Engine(model, checkpoint).run([call(1, prompt=(5, 6)), call(2, prompt=(7, 8))])
    assert model.executions == [2]


def test_out_of_memory_halves_the_batch(checkpoint, caplog):
    model = CountingModel(room=2)
    answers = Engine(model, checkpoint).run([call(value) for value in range(7)])
    assert values(answers) == list(range(7))
    assert model.executions[0] == 7
    assert sum(size for size in model.executions if size <= 2) == 7
    assert "out of memory with 7 chunks" in caplog.text


def test_no_room_for_even_one_is_resource_exhausted(checkpoint):
    answers = Engine(CountingModel(room=0), checkpoint).run([call(1), call(2)])
    assert values(answers) == ["RESOURCE_EXHAUSTED"] * 2


def test_another_failure_is_not_taken_for_lack_of_memory(checkpoint):
    model = CountingModel(room=0, message="cuBLAS failed with status CUBLAS_STATUS_NOT_SUPPORTED")
    with pytest.raises(RuntimeError, match="NOT_SUPPORTED"):
        Engine(model, checkpoint).run([call(1), call(2)])
    assert model.executions == [2]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"prompt": (-1,)}, "OPTIONS.prompt"),
        ({"prompt": (10**6,)}, "OPTIONS.prompt"),
        ({"text_tokens": (-1,)}, "OPTIONS.text_tokens"),
        ({"suppress_tokens": (-2,)}, "OPTIONS.suppress_tokens"),
        ({"suppress_tokens": (10**6,)}, "OPTIONS.suppress_tokens"),
    ],
)
def test_tokens_that_do_not_exist_are_refused(checkpoint, options, field):
    """CTranslate2 would read beyond its tables: the worker died of it."""
    bad = Call(np.zeros((80, 1000), np.float32), WhisperOptions(language="en", **options))
    refused, answered = Engine(CountingModel(), checkpoint).run([bad, call(1)])
    assert isinstance(refused, WhisperError)
    assert (refused.code, refused.field) == ("INVALID_ARGUMENT", field)
    assert isinstance(answered, Answer)


def test_timestamps_are_tokens_though_the_tokenizer_does_not_list_them(checkpoint):
    last = checkpoint.tokenizer.token_to_id("<|notimestamps|>") + 1501
    checkpoint.check_tokens([last], "OPTIONS.suppress_tokens")
    with pytest.raises(WhisperError):
        checkpoint.check_tokens([last + 1], "OPTIONS.suppress_tokens")


def test_features_that_are_no_numbers_are_refused(checkpoint):
    bad = Call(np.full((80, 1000), np.nan, np.float32), WhisperOptions(language="en"))
    (refused,) = Engine(CountingModel(), checkpoint).run([bad])
    assert isinstance(refused, WhisperError)
    assert (refused.code, refused.field) == ("INVALID_ARGUMENT", "FEATURES")


def test_an_empty_batch_is_answered(checkpoint):
    assert Engine(CountingModel(), checkpoint).run([]) == []


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"{", "OPTIONS"),
        (b'{"beam": 1}', "OPTIONS.beam"),
        (b'{"beam_size": 99}', "OPTIONS.beam_size"),
        (b'{"prompt": ["a"]}', "OPTIONS.prompt.0"),
        (b'{"temperature": -1}', "OPTIONS.temperature"),
    ],
)
def test_bad_options_name_their_field(text, field):
    with pytest.raises(WhisperError) as caught:
        WhisperOptions.parse(text)
    assert (caught.value.code, caught.value.field) == ("INVALID_ARGUMENT", field)


def test_a_folder_that_is_no_checkpoint_is_told(tmp_path):
    with pytest.raises(WhisperError, match="not a Whisper checkpoint"):
        Checkpoint.read(tmp_path)


class TestComputeType:
    """The number formats are tried in turn with a real encode; each failure is logged."""

    @pytest.fixture
    def loaded(self, monkeypatch):
        """Replaces the loader of weights; `works` says which formats can encode."""
        state = SimpleNamespace(works=set(), tried=[])

        class Model:
            n_mels = 80

            def __init__(self, path, *, compute_type, **where):
                state.tried.append(compute_type)
                self.compute_type = compute_type

            def encode(self, features):
                if self.compute_type not in state.works:
                    raise RuntimeError(f"no kernel for {self.compute_type}")

        monkeypatch.setattr(ctranslate2.models, "Whisper", Model)
        return state

    @pytest.mark.parametrize(
        ("kind", "works", "tried"),
        [
            ("cpu", {"int8", "float32"}, ["int8"]),
            ("cpu", {"float32"}, ["int8", "float32"]),
            ("cuda:1", {"int8_float32", "float32"}, ["float16", "int8_float16", "int8_float32"]),
        ],
    )
    def test_the_next_is_tried_and_the_failure_logged(self, loaded, caplog, kind, works, tried):
        loaded.works = works
        with caplog.at_level(logging.INFO):
            model = device.load("folder", device=kind)
        assert loaded.tried == tried
        assert model.compute_type == tried[-1]
        for failed in tried[:-1]:
            assert f"{failed} does not work on {kind}" in caplog.text
            assert f"no kernel for {failed}" in caplog.text
        assert f"as {tried[-1]}" in caplog.text

    def test_a_chosen_format_that_fails_falls_back(self, loaded):
        loaded.works = {"int8"}
        assert device.load("folder", device="cpu", compute_type="bfloat16").compute_type == "int8"
        assert loaded.tried == ["bfloat16", "int8"]

    def test_when_nothing_works_the_last_reason_is_told(self, loaded):
        with pytest.raises(RuntimeError, match="no kernel for float32"):
            device.load("folder", device="cpu")


def test_real_weights_load_as_int8_on_a_cpu(base_folder):
    model = device.load(str(base_folder), device="cpu")
    assert model.compute_type == "int8_float32"
    assert model.n_mels == 80
