"""The calls of `transcribe/1/model.py` to other models, against a stand-in for Triton's module."""

import importlib.util
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.harness.paths import REPOSITORY
from triscribe_transcribe.errors import PipelineError


class TritonModelException(Exception):  # noqa: N818 - Triton's name
    pass


class Triton(SimpleNamespace):
    """Answers every request with the rows that the test gives."""

    TritonModelException = TritonModelException
    Logger = SimpleNamespace(log_warn=lambda text: None)
    Tensor = SimpleNamespace(from_dlpack=lambda name, capsule: name)
    answer: Callable[[dict[str, Any]], Any]

    class InferenceRequest:
        def __init__(self, **fields):
            self.fields = fields

        async def async_exec(self):
            return Triton.answer(self.fields)

    @staticmethod
    def get_output_tensor_by_name(response, name):
        return response.rows


def answered(*envelopes):
    texts = [json.dumps(envelope).encode().ljust(200) for envelope in envelopes]
    rows = np.frombuffer(bytearray(b"".join(texts)), np.uint8).reshape(len(texts), -1)
    return SimpleNamespace(rows=rows, has_error=lambda: False)


@pytest.fixture
def call(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", Triton)
    monkeypatch.delitem(sys.modules, "triscribe_tensors", raising=False)
    path = REPOSITORY / "model_repository" / "transcribe" / "1" / "model.py"
    spec = importlib.util.spec_from_file_location("transcribe_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield lambda: module._call("whisper-base", {"FEATURES": np.zeros((2, 80, 10), np.float32)})
    sys.modules.pop("triscribe_tensors", None)


async def test_each_call_has_an_id_and_its_answer_repeats_it(call):
    seen = []

    def answer(fields):
        seen.append(fields["request_id"])
        return answered({"ok": 1, "request_id": seen[-1]}, {"error": {}, "request_id": seen[-1]})

    Triton.answer = answer
    assert await call() == [{"ok": 1}, {"error": {}}]
    assert await call() == [{"ok": 1}, {"error": {}}]
    assert len(set(seen)) == 2


FOREIGN = [{"ok": 1, "request_id": "of another"}, {"ok": 1}]


@pytest.mark.parametrize("row", FOREIGN)
async def test_whoever_gets_the_answer_to_another_request_asks_again(call, row):
    answers = [answered(row)]

    def answer(fields):
        return answers.pop() if answers else answered({"ok": 2, "request_id": fields["request_id"]})

    Triton.answer = answer
    assert await call() == [{"ok": 2}]


@pytest.mark.parametrize("row", FOREIGN)
async def test_the_answer_to_another_request_is_never_taken(call, row):
    Triton.answer = lambda fields: answered({"ok": 1, "request_id": fields["request_id"]}, row)
    with pytest.raises(PipelineError, match=r"whisper-base: .* another request") as caught:
        await call()
    assert caught.value.code == "UNAVAILABLE"


async def test_no_answer_is_unavailable(call):
    def answer(fields):
        raise TritonModelException("no room")

    Triton.answer = answer
    with pytest.raises(PipelineError, match="whisper-base: no room") as caught:
        await call()
    assert caught.value.code == "UNAVAILABLE"
