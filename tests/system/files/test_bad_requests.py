"""Whatever a caller sends, the answer names what was wrong and the next request is served."""

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from tests.harness.raw import RawClient, as_bytes, ok, text_of
from triscribe.types import SAMPLE_RATE

pytestmark = pytest.mark.server

SECOND = np.zeros(SAMPLE_RATE, np.float32)
NAN = np.array([0.0, np.nan, 0.0], np.float32)
SPEECH_LIKE = np.sin(np.arange(SAMPLE_RATE) / 20).astype(np.float32)


@pytest.fixture(scope="module")
def client(server):
    with RawClient(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def good_answer(client, conversation):
    answer = ok(client.ask(conversation.part(21.9, 24), {"language": "en"}))
    assert "difference" in text_of(answer)
    return answer


@pytest.mark.parametrize(
    ("tensors", "code", "field"),
    [
        ({"AUDIO": np.zeros(30 * SAMPLE_RATE + 16, np.float32)}, "INVALID_ARGUMENT", "AUDIO"),
        ({"AUDIO_INT16": np.zeros(31 * SAMPLE_RATE, np.int16)}, "INVALID_ARGUMENT", "AUDIO_INT16"),
        ({"AUDIO": NAN}, "INVALID_ARGUMENT", "AUDIO"),
        ({"AUDIO": np.array([np.inf], np.float32)}, "INVALID_ARGUMENT", "AUDIO"),
        ({"AUDIO": SECOND, "AUDIO_INT16": SECOND.astype(np.int16)}, "INVALID_ARGUMENT", "AUDIO"),
        ({"OPTIONS": as_bytes({})}, "INVALID_ARGUMENT", "AUDIO"),
        ({"AUDIO": SECOND, "OPTIONS": as_bytes("not json")}, "INVALID_ARGUMENT", "OPTIONS"),
        ({"AUDIO": SECOND, "OPTIONS": as_bytes(b"\xff\xfe\x00")}, "INVALID_ARGUMENT", "OPTIONS"),
        ({"AUDIO": SECOND, "OPTIONS": as_bytes("[1]")}, "INVALID_ARGUMENT", "OPTIONS"),
        ({"AUDIO": SECOND, "OPTIONS": as_bytes({"beamsize": 5})}, "INVALID_ARGUMENT", "OPTIONS.beamsize"),
        ({"AUDIO": SECOND, "OPTIONS": as_bytes({"language": "klingon"})}, "INVALID_ARGUMENT", "OPTIONS.language"),
        ({"AUDIO": SECOND, "OPTIONS": as_bytes({"task": "summarise"})}, "INVALID_ARGUMENT", "OPTIONS.task"),
        ({"AUDIO": SECOND, "OPTIONS": as_bytes({"beam_size": 0})}, "INVALID_ARGUMENT", "OPTIONS.beam_size"),
        ({"AUDIO": SECOND, "OPTIONS": as_bytes({"model": "whisper-9000"})}, "NOT_FOUND", "OPTIONS.model"),
        (
            {"AUDIO": SPEECH_LIKE, "OPTIONS": as_bytes({"model": "tiny.en", "task": "translate"})},
            "FAILED_PRECONDITION",
            "OPTIONS.task",
        ),
        (
            {"AUDIO": SPEECH_LIKE, "OPTIONS": as_bytes({"model": "tiny.en", "language": "fr"})},
            "FAILED_PRECONDITION",
            "OPTIONS.language",
        ),
        # Cantonese came with large-v3: Whisper knows it, this checkpoint does not.
        (
            {"AUDIO": SPEECH_LIKE, "OPTIONS": as_bytes({"model": "base", "language": "yue"})},
            "FAILED_PRECONDITION",
            "OPTIONS.language",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_field_is_named_and_the_next_request_works(client, good_answer, conversation, tensors, code, field):
    client.send(tensors)
    error = client.receive()["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert error["message"]
    assert "Traceback" not in error["message"]
    assert ok(client.ask(conversation.part(21.9, 24), {"language": "en"})) == good_answer


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"AUDIO": np.zeros((2, 8000), np.float32)}, "unexpected shape"),
        ({"AUDIO": np.zeros(8000, np.float64)}, "data-type"),
        ({"AUDIO": SECOND, "LOUDNESS": SECOND}, "unexpected inference input"),
    ],
    ids=["rank", "type", "name"],
)
def test_triton_refuses_what_config_pbtxt_rules_out(client, good_answer, conversation, tensors, message):
    client.send(tensors)
    with pytest.raises(InferenceServerException, match=message):
        client.receive()
    assert ok(client.ask(conversation.part(21.9, 24), {"language": "en"})) == good_answer


@pytest.mark.parametrize(
    ("model", "tensors"),
    [
        ("transcribe", {"AUDIO": SPEECH_LIKE, "OPTIONS": as_bytes({"language": "en", "temperature": [0.0]})}),
        ("transcribe", {"AUDIO": NAN}),
        ("align", {"AUDIO": SPEECH_LIKE, "WORDS": as_bytes('["Hello."]'), "LANGUAGE": as_bytes("en")}),
        ("align", {"AUDIO": SPEECH_LIKE, "WORDS": as_bytes("not json"), "LANGUAGE": as_bytes("en")}),
        ("whisper-base", {"FEATURES": np.zeros((1, 80, 3000), np.float32), "OPTIONS": as_bytes("not json")[None]}),
    ],
)
def test_an_answer_carries_the_id_of_its_request(client, model, tensors):
    client.send(tensors, model=model)
    unnamed = client.receive()
    client.send(tensors, model=model, request_id="mine")
    assert client.receive() == {**unnamed, "request_id": "mine"}
