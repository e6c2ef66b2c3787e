"""The gRPC side of the diarizer: uploads in, progress and turns out, errors as status codes."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, NoReturn

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from triscribe.diarizer.jobs import Job, JobQueue, Request
from triscribe.diarizer.turns import Outcome
from triscribe.errors import DiarizationError, ModelError
from triscribe.types import SAMPLE_RATE
from triscribe.v1 import diarization_pb2 as pb
from triscribe.v1 import diarization_pb2_grpc as pb_grpc

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
"""A progress message is sent at least this often."""

_BYTES_PER_SAMPLE = 4

_READ_ON_S = 0.5
"""How long a refused caller's messages are read."""


class InvalidRequestError(Exception):
    """The config or the audio is wrong."""


class NoRoomError(Exception):
    """The recordings of other jobs take the memory there is."""


class TokenAuth(grpc.aio.ServerInterceptor):
    """Refuses calls without the token; health checks need none."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

        # For streams: one that waits for a message would keep a caller who sends none until its deadline.
        async def refuse(_requests: Any, context: Any) -> NoReturn:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is missing or wrong")
            raise AssertionError  # abort raised

        self._refusal: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(refuse)

    async def intercept_service(self, continuation: Callable[..., Awaitable[Any]], call: Any) -> Any:
        """Passes the call on, or hands it to a method that refuses."""
        if not call.method.startswith("/grpc.health.v1.Health/"):
            given = str(dict(call.invocation_metadata).get("authorization", "")).encode()
            if not hmac.compare_digest(given, self._expected):
                return self._refusal
        return await continuation(call)


class DiarizationService(pb_grpc.DiarizationServiceServicer):  # type: ignore[misc]
    """`Diarize` of the proto."""

    def __init__(self, queue: JobQueue, max_duration_s: float) -> None:
        self._queue = queue
        self._max_bytes = int(max_duration_s * SAMPLE_RATE) * _BYTES_PER_SAMPLE

    async def Diarize(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Receives the recording, then streams progress until there is a result."""
        with self._queue.place() as free:
            if not free:
                await _read_on(requests)
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many jobs are waiting")
            async for response in self._respond(requests, context):
                yield response

    async def _respond(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        job = Job()
        work = asyncio.ensure_future(self._work(requests, job))
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # also when nobody waits
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=HEARTBEAT_S)
                progress = pb.DiarizationProgress(stage=pb.DiarizationStage.Name(job.stage), fraction=job.fraction)
                yield pb.DiarizeResponse(progress=progress)
            yield pb.DiarizeResponse(result=_to_message(work.result(), with_embeddings=job.request.embeddings))
        except NoRoomError:
            await _read_on(requests)
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the recordings that wait take all the memory")
        except InvalidRequestError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except DecodeError:  # gRPC parses a stream's messages only where they are read
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a message is no DiarizeRequest")
        except (DiarizationError, ModelError) as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except MemoryError:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the diarizer ran out of memory")
        except Exception as error:
            if isinstance(error, grpc.aio.AbortError):
                raise
            log.exception("a job failed")
            await context.abort(grpc.StatusCode.INTERNAL, f"the pipeline failed: {type(error).__name__}")
        finally:
            job.cancel()

    async def _work(self, requests: AsyncIterator[Any], job: Job) -> Outcome:
        audio = bytearray()
        try:
            job.request, job.samples = await self._receive(requests, audio)
            return await self._queue.run(job)
        finally:
            self._queue.give_back(len(audio))

    async def _receive(self, requests: AsyncIterator[Any], audio: bytearray) -> tuple[Request, NDArray[np.float32]]:
        config: Any = None
        async for request in requests:
            kind = request.WhichOneof("payload")
            if (config is None) != (kind == "config"):
                raise InvalidRequestError("the config comes first, exactly once")
            if kind == "config":
                config = request.config
                continue
            if not self._queue.hold(len(request.audio)):
                raise NoRoomError
            audio += request.audio
            if len(audio) > self._max_bytes:
                raise InvalidRequestError(f"longer than {self._max_bytes / _BYTES_PER_SAMPLE / SAMPLE_RATE / 3600:g} h")
        if config is None:
            raise InvalidRequestError("the config is missing")
        if len(audio) % _BYTES_PER_SAMPLE:
            raise InvalidRequestError("the audio ends inside a sample")
        samples = np.frombuffer(audio, dtype="<f4")
        if not np.isfinite(samples).all():
            raise InvalidRequestError("the audio has samples that are not finite")
        return _to_request(config), samples


async def _read_on(requests: AsyncIterator[Any]) -> None:
    """Take what a refused caller sends, for a moment.

    gRPC's asyncio client reports "Internal error from Core" instead of the refusal when that meets a message on its way
    (one call in seven here, with two messages).
    """
    with suppress(TimeoutError, DecodeError):
        async with asyncio.timeout(_READ_ON_S):
            async for _ in requests:
                pass


def _to_request(config: Any) -> Request:
    bounds = {
        name: int(getattr(config, name)) if config.HasField(name) else None
        for name in ("num_speakers", "min_speakers", "max_speakers")
    }
    if any(bound == 0 for bound in bounds.values()):
        raise InvalidRequestError("numbers of speakers start at 1")
    low, high = bounds["min_speakers"], bounds["max_speakers"]
    if bounds["num_speakers"] is not None and (low is not None or high is not None):
        raise InvalidRequestError("num_speakers excludes min_speakers and max_speakers")
    if low is not None and high is not None and low > high:
        raise InvalidRequestError("min_speakers is larger than max_speakers")
    return Request(pipeline=config.pipeline or "default", embeddings=config.embeddings, **bounds)


def _to_message(outcome: Outcome, *, with_embeddings: bool) -> Any:
    result = pb.DiarizationResult()
    for turns, target in ((outcome.turns, result.turns), (outcome.exclusive, result.exclusive_turns)):
        for turn in turns:
            _set_times(target.add(speaker_label=turn.speaker), turn.start, turn.end)
    for overlap in outcome.overlaps:
        _set_times(result.overlaps.add(speaker_labels=overlap.speakers), overlap.start, overlap.end)
    for label in outcome.speakers:
        embedding = outcome.embeddings.get(label) if with_embeddings else None
        result.speakers.add(label=label, embedding=() if embedding is None else embedding.tolist())
    return result


def _set_times(message: Any, start: float, end: float) -> None:
    message.start_offset.FromMilliseconds(round(start * 1000))
    message.end_offset.FromMilliseconds(round(end * 1000))
