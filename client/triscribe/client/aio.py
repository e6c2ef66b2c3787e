"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, Self

import grpc

from triscribe.client.connection import PIECE_BYTES, Connection, open_audio, our_errors
from triscribe.client.options import LiveOptions, RecognitionOptions
from triscribe.client.results import (
    GatewayInfo,
    LiveEvent,
    LiveEvents,
    UploadEvents,
    gateway_info,
    segment,
    transcript,
)
from triscribe.types import Segment, Transcript
from triscribe.v1 import speech_pb2 as pb
from triscribe.v1 import speech_pb2_grpc


class AsyncClient:
    """A channel to one gateway; belongs to one event loop. Errors are `ServerError`s, with the gRPC code in `code`."""

    def __init__(self, connection: Connection | str) -> None:
        """Connect lazily; a string is HOST:PORT without TLS and token."""
        self._connection = Connection(connection) if isinstance(connection, str) else connection
        address, options = self._connection.address, self._connection.options
        if self._connection.credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options)
        else:
            self._channel = grpc.aio.secure_channel(address, self._connection.credentials, options)
        self._stub = speech_pb2_grpc.SpeechServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection; open calls are cancelled."""
        await self._channel.close()

    async def models(self, *, timeout_s: float | None = None) -> GatewayInfo:
        """What the gateway serves."""
        with our_errors():
            metadata = self._connection.metadata(None)
            return gateway_info(
                await self._stub.ListModels(pb.ListModelsRequest(), metadata=metadata, timeout=timeout_s)
            )

    async def recognize(
        self,
        source: str | Path | bytes | BinaryIO,
        options: RecognitionOptions | None = None,
        *,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> Transcript:
        """Transcribe a short recording in one message.

        Raises:
            AudioError: the file cannot be opened.
            ServerError: the gateway refused or failed.
        """
        options = options or RecognitionOptions()
        with open_audio(source) as (file, path), our_errors():
            request = pb.RecognizeRequest(config=options.message(), audio=await asyncio.to_thread(file.read))
            metadata = self._connection.metadata(request_id)
            answer = await self._stub.Recognize(request, metadata=metadata, timeout=timeout_s)
            return transcript(map(segment, answer.results), answer.metadata, path=path, task=options.task)

    async def transcribe(
        self,
        source: str | Path | bytes | BinaryIO,
        options: RecognitionOptions | None = None,
        *,
        progress: Callable[[float], None] | None = None,
        final: Callable[[Segment], None] | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> Transcript:
        """Transcribe a recording of any length.

        Args:
            source: a path, the bytes of a media file, or an open binary stream.
            options: what to do with it.
            progress: called with the share of the work done, 0 to 1, about once a second.
            final: called with each segment as soon as it will not change.
            timeout_s: for the whole call.
            request_id: for the gateway's log.

        Raises:
            AudioError: the file cannot be opened.
            ServerError: the gateway refused or failed.
        """
        options = options or RecognitionOptions()
        with open_audio(source) as (file, path), our_errors():
            events = UploadEvents(path, options.task)
            metadata = self._connection.metadata(request_id)
            call = self._stub.UploadRecognize(_pieces(file, options), metadata=metadata, timeout=timeout_s)
            try:
                async for response in call:
                    event = events.take(response)
                    if isinstance(event, Segment) and final:
                        final(event)
                    elif isinstance(event, float) and progress:
                        progress(event)
            finally:
                call.cancel()
            return events.transcript()

    async def stream(
        self,
        audio: AsyncIterable[bytes],
        options: RecognitionOptions | None = None,
        live: LiveOptions | None = None,
        *,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> AsyncIterator[LiveEvent]:
        """Transcribe audio while it is spoken; the last event is a `LiveEnd`.

        Args:
            audio: samples as `options.pcm` says (default: 16-bit mono at 16 kHz), in pieces of any length.
            options: what to do with them.
            live: what is sent beside final results.
            timeout_s: for the whole call.
            request_id: for the gateway's log.

        Raises:
            ServerError: the gateway refused or failed.
        """
        options = options or RecognitionOptions()
        first = (live or LiveOptions()).message(options)

        async def requests() -> AsyncIterator[pb.StreamingRecognizeRequest]:
            yield first
            async for piece in audio:
                yield pb.StreamingRecognizeRequest(audio=piece)

        events = LiveEvents(options.task)
        with our_errors():
            metadata = self._connection.metadata(request_id)
            call = self._stub.StreamingRecognize(requests(), metadata=metadata, timeout=timeout_s)
            try:
                async for response in call:
                    yield events.take(response)
            finally:
                call.cancel()


async def _pieces(file: BinaryIO, options: RecognitionOptions) -> AsyncIterator[pb.UploadRecognizeRequest]:
    yield pb.UploadRecognizeRequest(config=options.message())
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield pb.UploadRecognizeRequest(audio=piece)
