"""One chunk to one answer over KServe gRPC. The only client module that imports tritonclient."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import grpc
import numpy as np
import tritonclient.grpc.aio as grpcclient
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_random_exponential
from tritonclient.utils import InferenceServerException

from triscribe.errors import (
    SERVER_ERRORS,
    CancelledError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    ResourceExhaustedError,
    ServerError,
    UnavailableError,
)
from triscribe.rpc import said
from triscribe.spacing import clean
from triscribe.triton.names import TRANSCRIBE
from triscribe.types import Chunk, ChunkResult, Notice, Samples, Segment, Word

logger = logging.getLogger(__name__)

_CHANNEL = (
    # Several addresses behind one name are replicas; each stream goes to the next of them.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A machine that vanishes sends no end of the connection; without this its chunks would wait for their deadline.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)

T = TypeVar("T")

_LEAST_SHARE = 1e-3
"""Languages less probable than this are nobody's choice."""

_STREAM_ERRORS: tuple[tuple[str, type[ServerError]], ...] = (
    # Errors on a Triton stream are strings only (triton-inference-server/server#6110); these are the ones that mean
    # something to a caller. Order matters.
    ("is not healthy", UnavailableError),
    ("not ready", UnavailableError),
    ("unknown model", UnavailableError),  # loading, or a server without Triscribe: the retries end in this message
    ("unloading", UnavailableError),
    ("shutting down", UnavailableError),
    ("server is stopping", UnavailableError),
    ("exceeds maximum queue size", UnavailableError),
    ("cancelled", CancelledError),
    ("unexpected shape", InvalidArgumentError),
    ("unexpected datatype", InvalidArgumentError),
    ("failed to allocate", ResourceExhaustedError),
    ("failed to increase the shared memory", ResourceExhaustedError),
)


@dataclass(frozen=True)
class RetryPolicy:
    """How long and how patiently UNAVAILABLE and RESOURCE_EXHAUSTED are waited out, in seconds."""

    give_up_after_s: float = 120.0
    first_wait_s: float = 0.25
    longest_wait_s: float = 10.0


@dataclass(frozen=True)
class Served:
    """What the server offers.

    Attributes:
        tasks: name of each checkpoint → its tasks; the first is the default.
        aligner_languages: codes whose words are timed by forced alignment.
    """

    tasks: Mapping[str, tuple[str, ...]]
    aligner_languages: tuple[str, ...]


class TritonConnection:
    """A channel to one Triton (or a balancer in front of several). Belongs to one event loop."""

    def __init__(
        self,
        server: str,
        *,
        retry: RetryPolicy | None = None,
        headers: Callable[[], dict[str, str]] = dict,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Connect lazily.

        Args:
            server: HOST:PORT, or a gRPC target such as dns:///HOST:PORT; requests go round all its addresses.
            retry: how UNAVAILABLE and RESOURCE_EXHAUSTED are waited out.
            headers: gives what goes with a request, such as its trace.
            credentials: TLS; None talks plaintext.
        """
        self._server = server
        self._retry = retry or RetryPolicy()
        self._headers = headers
        self._client = grpcclient.InferenceServerClient(server, creds=credentials, channel_args=_CHANNEL)

    async def __aenter__(self) -> TritonConnection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def transcribe(self, chunk: Chunk, options: Mapping[str, Any], *, timeout_s: float) -> ChunkResult:
        """The result of one chunk; times count from its start.

        Raises:
            ServerError: the answer was an error, or none came in time or after all retries.
        """
        ok = await self._patiently(lambda: self._infer(chunk.samples, options, timeout_s))
        return _chunk_result(chunk.index, ok)

    async def detect_language(
        self, samples: Samples, options: Mapping[str, Any], *, timeout_s: float
    ) -> dict[str, float]:
        """Probability of each language code in `samples` (float32, shape (n,), at most 30 s)."""
        request = {**options, "language": None, "detect_only": True}
        ok = await self._patiently(lambda: self._infer(samples, request, timeout_s))
        languages: dict[str, float] = ok["languages"]
        return languages

    async def served(self, *, timeout_s: float) -> Served:
        """What the server offers.

        Raises:
            ServerError: it does not answer, or is not a server of ours.
        """
        answer = await self._control(self._client.get_model_config(TRANSCRIBE, client_timeout=timeout_s))
        parameters = answer.config.parameters
        try:
            models = json.loads(parameters["models"].string_value)
            tasks = {str(name): tuple(facts["tasks"]) for name, facts in models.items()}
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise UnavailableError(f"{self._server} is not a server of Triscribe") from error
        return Served(tasks, tuple(filter(None, parameters["aligner_languages"].string_value.split(","))))

    async def successes(self, model: str, *, timeout_s: float) -> int:
        """Requests that a Triton model has answered since it was loaded; shows life without asking for work."""
        answer = await self._control(self._client.get_inference_statistics(model, client_timeout=timeout_s))
        if not answer.model_stats:
            raise UnavailableError(f"{self._server} does not know the model {model}")
        return int(answer.model_stats[0].inference_stats.success.count)

    async def _control(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except InferenceServerException as error:
            raise map_error(error, self._server) from error
        except grpc.RpcError as error:
            raise _lost(error, self._server) from error

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type((UnavailableError, ResourceExhaustedError)),
            wait=self._wait,
            stop=stop_after_delay(self._retry.give_up_after_s),
            reraise=True,
        ):
            with attempt:
                return await call()
        raise AssertionError("tenacity ends with a result or an error")

    def _wait(self, state: RetryCallState) -> float:
        wait = wait_random_exponential(self._retry.first_wait_s, max=self._retry.longest_wait_s)(state)
        error = state.outcome.exception() if state.outcome else None
        hint = error.retry_after_s if isinstance(error, ServerError) else None
        return wait + (hint or 0.0)  # the jitter beyond it, or all who were refused would be back at once

    async def _infer(self, samples: Samples, options: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        request_id = uuid.uuid4().hex
        try:
            async with asyncio.timeout(timeout_s):
                envelope = _envelope(await self._answer(_inputs(samples, options), request_id))
                if envelope.get("request_id") != request_id:
                    logger.warning("%s answered another request", self._server)
                    raise UnavailableError(f"{self._server}: the answer was that to another request")
                return _ok(envelope)
        except TimeoutError as error:
            raise DeadlineExceededError(f"{self._server} did not answer within {timeout_s:.0f} s") from error
        except InferenceServerException as error:
            raise map_error(error, self._server) from error
        except grpc.RpcError as error:
            raise _lost(error, self._server) from error

    async def _answer(self, inputs: list[grpcclient.InferInput], request_id: str) -> grpcclient.InferResult:
        async def requests() -> Any:
            yield {"model_name": TRANSCRIBE, "inputs": inputs, "request_id": request_id}

        # One stream per chunk: balancers choose a replica per stream.
        stream = self._client.stream_infer(requests(), headers=self._headers())
        answer: grpcclient.InferResult | None = None
        try:
            # To its end: Triton 24.10 keeps the request of a stream that is cancelled while its answer is written.
            async for result, error in stream:
                if error is not None:
                    raise error
                answer = result
        finally:
            stream.cancel()
        if answer is not None:
            return answer
        raise UnavailableError(f"{self._server} closed the stream without an answer")


def map_error(error: InferenceServerException, server: str) -> ServerError:
    """Our error for one of tritonclient's: by status where there is one, else by its text."""
    message = error.message() or "no message"
    status = (error.status() or "").removeprefix("StatusCode.")
    if status in SERVER_ERRORS and status != "INTERNAL":
        return SERVER_ERRORS[status](f"{server}: {message}")
    for sign, kind in _STREAM_ERRORS:
        if sign in message.lower():
            return kind(f"{server}: {message}")
    return InternalError(f"{server}: {message}")


def _lost(error: grpc.RpcError, server: str) -> ServerError:
    """Our error for one of gRPC's own, which prints as a page: the connection was refused, cut or is no Triton's."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return UnavailableError(f"{server}: {clean(str(error))}")
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:  # it will be unknown again
        return InternalError(f"{server} is not Triton: {said(error)}")
    return UnavailableError(f"{server}: {said(error)}")


def _inputs(samples: Samples, options: Mapping[str, Any]) -> list[grpcclient.InferInput]:
    text = np.frombuffer(json.dumps(options).encode(), np.uint8)
    audio = grpcclient.InferInput("AUDIO", [len(samples)], "FP32")
    audio.set_data_from_numpy(np.ascontiguousarray(samples, np.float32))
    encoded = grpcclient.InferInput("OPTIONS", [len(text)], "UINT8")
    encoded.set_data_from_numpy(text)
    return [audio, encoded]


def _envelope(result: grpcclient.InferResult) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(result.as_numpy("RESULT").tobytes())
    return envelope


def _ok(envelope: Mapping[str, Any]) -> dict[str, Any]:
    if error := envelope.get("error"):
        kind = SERVER_ERRORS.get(error["code"], InternalError)
        raise kind(error["message"], field=error["field"], retry_after_s=error["retry_after_s"])
    ok: dict[str, Any] = envelope["ok"]
    return ok


def _chunk_result(index: int, ok: dict[str, Any]) -> ChunkResult:
    return ChunkResult(
        index,
        ok["model"],
        ok["language"],
        ok["language_probability"],
        tuple(
            Segment(**{**segment, "words": tuple(Word(**word) for word in segment["words"])})
            for segment in ok["segments"]
        ),
        tuple(Notice(**warning) for warning in ok["warnings"]),
        {code: share for code, share in ok.get("languages", {}).items() if share >= _LEAST_SHARE},
    )
