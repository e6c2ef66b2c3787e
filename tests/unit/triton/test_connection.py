"""One chunk over gRPC: errors mapped, retries, deadlines, cancellation - against a stand-in for the stream."""

import asyncio
import json
import time
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from triscribe import errors
from triscribe.errors import (
    SERVER_ERRORS,
    CancelledError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    ResourceExhaustedError,
    ServerError,
    TooLargeError,
    UnavailableError,
)
from triscribe.triton.connection import RetryPolicy, TritonConnection, map_error
from triscribe.types import Chunk, Notice, Segment, Word

CHUNK = Chunk(3, 12.0, np.zeros(1600, np.float32))
OK = {
    "model": "base",
    "language": "en",
    "language_probability": 0.9,
    "segments": [
        {
            "start": 0.0,
            "end": 0.1,
            "text": "Hi.",
            "language": "en",
            "avg_logprob": -0.1,
            "no_speech_prob": 0.0,
            "compression_ratio": 1.0,
            "temperature": 0.0,
            "words": [{"word": "Hi.", "start": 0.0, "end": 0.1, "probability": 0.9, "timing": "aligned"}],
        }
    ],
    "warnings": [{"code": "low_confidence", "message": "unsure", "start": 0.0, "end": 0.1}],
}


def refused(code, **more):
    return {"error": {"code": code, "field": None, "message": "no", "retry_after_s": None, **more}}


class Result:
    def __init__(self, envelope):
        self._bytes = np.frombuffer(json.dumps(envelope).encode(), np.uint8)

    def as_numpy(self, name):
        assert name == "RESULT"
        return self._bytes


class Stream:
    """Answers with what the script holds: an envelope, a Triton error, an exception, "silence" or "end"."""

    def __init__(self, step, reading):
        self.step = step
        self.reading = reading  # gives the request
        self.cancelled = False
        self.read_to_its_end = False

    def cancel(self):
        self.cancelled = True

    async def __aiter__(self):
        request = await self.reading
        if self.step == "silence":
            await asyncio.sleep(1000)
        if isinstance(self.step, grpc.RpcError):
            raise self.step
        if isinstance(self.step, Exception):
            yield None, self.step
        elif self.step != "end":
            yield Result({"request_id": request["request_id"], **self.step}), None
        self.read_to_its_end = True


class Client:
    """Stands for tritonclient's: one stream for each step of the script."""

    def __init__(self, *script):
        self.script = list(script)
        self.streams: list[Stream] = []
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []

    def stream_infer(self, requests, headers=None):
        self.times.append(time.monotonic())
        self.streams.append(Stream(self.script.pop(0), self._read(requests)))
        return self.streams[-1]

    async def _read(self, requests):
        async for request in requests:
            self.requests.append(request)
        return self.requests[-1]

    async def close(self):
        pass


@pytest.fixture
async def connect():
    """A connection whose client follows a script."""
    made = []

    def make(*script, **policy):
        patience = {"give_up_after_s": 5, "first_wait_s": 0.01, "longest_wait_s": 0.02, **policy}
        connection = TritonConnection("localhost:1", retry=RetryPolicy(**patience))
        made.append(connection._client)
        connection._client = Client(*script)
        return connection, connection._client

    yield make
    for client in made:
        await client.close()


async def transcribe(connection, timeout_s=5.0):
    return await connection.transcribe(CHUNK, {"language": "en"}, timeout_s=timeout_s)


async def test_an_answer_becomes_values(connect):
    connection, client = connect({"ok": OK})
    result = await transcribe(connection)
    assert (result.index, result.model, result.language, result.language_probability) == (3, "base", "en", 0.9)
    word = Word("Hi.", 0.0, 0.1, 0.9, "aligned")
    assert result.segments == (Segment(0.0, 0.1, "Hi.", "en", -0.1, 0.0, 1.0, 0.0, (word,)),)
    assert result.notices == (Notice("low_confidence", "unsure", 0.0, 0.1),)
    assert client.streams[0].cancelled, "a stream is never left open"
    assert client.streams[0].read_to_its_end, "cancelled any sooner, Triton keeps its request for good"
    (request,) = client.requests
    assert request["model_name"] == "transcribe"
    assert {(i.name(), i.datatype()): i.shape() for i in request["inputs"]} == {
        ("AUDIO", "FP32"): [1600],
        ("OPTIONS", "UINT8"): [len(json.dumps({"language": "en"}))],
    }


async def test_detection_asks_for_languages_only(connect):
    connection, client = connect({"ok": {"languages": {"de": 0.8, "en": 0.2}}})
    assert await connection.detect_language(CHUNK.samples, {"language": "en"}, timeout_s=5) == {"de": 0.8, "en": 0.2}
    options = client.requests[0]["inputs"][1]._get_content()
    assert json.loads(options) == {"language": None, "detect_only": True}


def test_every_error_of_a_server_has_a_code_of_its_own():
    """The map is complete: every subclass is in it, under a name that gRPC knows."""
    # TooLargeError shares the code of what is busy: over gRPC only the retry hint tells them apart.
    assert set(SERVER_ERRORS.values()) == set(ServerError.__subclasses__()) - {TooLargeError}
    assert TooLargeError.code == ResourceExhaustedError.code
    assert set(SERVER_ERRORS) <= {code.name for code in grpc.StatusCode}
    assert all(getattr(errors, kind.__name__) is kind for kind in SERVER_ERRORS.values())


@pytest.mark.parametrize("code", sorted(set(SERVER_ERRORS) - {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}))
async def test_an_envelope_with_an_error_raises_its_class_at_once(connect, code):
    connection, client = connect(refused(code, field="OPTIONS.language"))
    with pytest.raises(SERVER_ERRORS[code]) as caught:
        await transcribe(connection)
    assert caught.value.field == "OPTIONS.language"
    assert caught.value.code == code
    assert len(client.streams) == 1


async def test_an_unknown_code_is_internal(connect):
    connection, _ = connect(refused("ON_FIRE"))
    with pytest.raises(InternalError):
        await transcribe(connection)


@pytest.mark.parametrize(
    ("message", "status", "kind"),
    [
        ("Stub process 'whisper-base_0_0' is not healthy", None, UnavailableError),
        ("Request for unknown model: 'transcribe' is not found", None, UnavailableError),
        ("Server is shutting down", None, UnavailableError),
        ("Server is stopping to serve requests.", None, UnavailableError),
        ("in ensemble, Exceeds maximum queue size", None, UnavailableError),
        ("[request id: 1] unexpected shape for input 'AUDIO'", None, InvalidArgumentError),
        ("Failed to increase the shared memory pool size for key 'x' to 9 bytes.", None, ResourceExhaustedError),
        ("request cancelled", None, CancelledError),
        ("something else", None, InternalError),
        ("failed to connect to all addresses", "StatusCode.UNAVAILABLE", UnavailableError),
        ("Deadline Exceeded", "StatusCode.DEADLINE_EXCEEDED", DeadlineExceededError),
        ("too large", "StatusCode.RESOURCE_EXHAUSTED", ResourceExhaustedError),
        # Triton answers INTERNAL for nearly everything: the text says more.
        ("Stub process 'x' is not healthy", "StatusCode.INTERNAL", UnavailableError),
        ("odd", "StatusCode.SOMETHING_NEW", InternalError),
        ("", None, InternalError),
    ],
)
def test_triton_errors_become_ours(message, status, kind):
    error = map_error(InferenceServerException(message, status=status), "host:1")
    assert type(error) is kind
    assert str(error).startswith("host:1: ")


@pytest.mark.parametrize(
    "failure",
    [
        refused("UNAVAILABLE"),
        refused("RESOURCE_EXHAUSTED"),
        InferenceServerException("Stub process 'whisper-base_0_0' is not healthy"),
        "end",
        {"ok": {**OK, "language": "fr"}, "request_id": "of another"},
        {"ok": {**OK, "language": "fr"}, "request_id": None},
    ],
    ids=["unavailable", "queue full", "dead worker", "closed stream", "answer to another request", "answer to no one"],
)
async def test_what_passes_is_waited_out(connect, failure):
    connection, client = connect(failure, failure, {"ok": OK})
    assert (await transcribe(connection)).language == "en"
    assert len(client.streams) == 3
    assert len({request["request_id"] for request in client.requests}) == 3
    assert all(stream.cancelled for stream in client.streams)


async def test_patience_ends(connect):
    connection, client = connect(*[refused("UNAVAILABLE")] * 1000, give_up_after_s=0.3)
    with pytest.raises(UnavailableError):
        await transcribe(connection)
    assert len(client.streams) > 1


def rpc_error(code, details):
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details, "debug\ntext")


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ("failed to connect to all addresses", "localhost:1: failed to connect to all addresses"),
        ("two\n  lines", "localhost:1: two lines"),
        ("", "localhost:1: UNAVAILABLE"),
        (None, "localhost:1: UNAVAILABLE"),
    ],
)
async def test_what_grpc_says_is_one_line(connect, details, told):
    """An AioRpcError prints as a page of debugging."""
    connection, _ = connect(*[rpc_error(grpc.StatusCode.UNAVAILABLE, details)] * 1000, give_up_after_s=0.05)
    with pytest.raises(UnavailableError) as caught:
        await transcribe(connection)
    assert str(caught.value) == told


async def test_what_is_no_triton_is_told_at_once(connect):
    connection, client = connect(rpc_error(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
    with pytest.raises(InternalError, match="localhost:1 is not Triton: Method not found!"):
        await transcribe(connection)
    assert len(client.streams) == 1


async def test_what_grpc_says_of_a_question_is_one_line():
    async with TritonConnection("127.0.0.1:1") as connection:
        for question in (connection.served(timeout_s=5), connection.successes("whisper", timeout_s=5)):
            with pytest.raises(UnavailableError) as caught:
                await question
            assert "\n" not in str(caught.value)


async def test_the_hint_of_a_full_queue_is_honoured(connect):
    connection, client = connect(refused("RESOURCE_EXHAUSTED", retry_after_s=0.4), {"ok": OK})
    await transcribe(connection)
    assert client.times[1] - client.times[0] >= 0.4


async def test_no_answer_in_time_is_an_error(connect):
    connection, client = connect("silence")
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError, match="localhost:1"):
        await transcribe(connection, timeout_s=0.1)
    assert time.monotonic() - started < 3
    assert client.streams[0].cancelled


async def test_a_cancelled_caller_cancels_the_stream(connect):
    connection, client = connect("silence")
    task = asyncio.create_task(transcribe(connection))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.streams[0].cancelled


async def test_a_server_that_is_not_there_is_unavailable():
    async with TritonConnection("127.0.0.1:1", retry=RetryPolicy(0.2, 0.01, 0.02)) as connection:
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
            await connection.transcribe(CHUNK, {}, timeout_s=10)


async def test_a_wrong_precondition_is_not_retried(connect):
    connection, client = connect(refused("FAILED_PRECONDITION"), {"ok": OK})
    with pytest.raises(FailedPreconditionError):
        await transcribe(connection)
    assert len(client.streams) == 1
