"""The client for programs without an event loop; the same methods as `AsyncClient`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


class Client:
    """A channel to one gateway; any thread may use it. Errors are `ServerError`s, with the gRPC code in `code`."""

    def __init__(self, connection: Connection | str) -> None:
        """Connect lazily; a string is HOST:PORT without TLS and token."""
        self._connection = Connection(connection) if isinstance(connection, str) else connection
        address, options = self._connection.address, self._connection.options
        if self._connection.credentials is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, self._connection.credentials, options)
        self._stub = speech_pb2_grpc.SpeechServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; open calls are cancelled."""
        self._channel.close()

    def models(self, *, timeout_s: float | None = None) -> GatewayInfo:
        """What the gateway serves."""
        with our_errors():
            metadata = self._connection.metadata(None)
            return gateway_info(self._stub.ListModels(pb.ListModelsRequest(), metadata=metadata, timeout=timeout_s))

    def recognize(
        self,
        source: str | Path | bytes | BinaryIO,
        options: RecognitionOptions | None = None,
        *,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> Transcript:
        """See `AsyncClient.recognize`."""
        options = options or RecognitionOptions()
        with open_audio(source) as (file, path), our_errors():
            request = pb.RecognizeRequest(config=options.message(), audio=file.read())
            answer = self._stub.Recognize(request, metadata=self._connection.metadata(request_id), timeout=timeout_s)
            return transcript(map(segment, answer.results), answer.metadata, path=path, task=options.task)

    def transcribe(
        self,
        source: str | Path | bytes | BinaryIO,
        options: RecognitionOptions | None = None,
        *,
        progress: Callable[[float], None] | None = None,
        final: Callable[[Segment], None] | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> Transcript:
        """See `AsyncClient.transcribe`."""
        options = options or RecognitionOptions()
        with open_audio(source) as (file, path), our_errors():
            events = UploadEvents(path, options.task)
            metadata = self._connection.metadata(request_id)
            call = self._stub.UploadRecognize(_pieces(file, options), metadata=metadata, timeout=timeout_s)
            try:
                for response in call:
                    event = events.take(response)
                    if isinstance(event, Segment) and final:
                        final(event)
                    elif isinstance(event, float) and progress:
                        progress(event)
            finally:
                call.cancel()
            return events.transcript()

    def stream(
        self,
        audio: Iterable[bytes],
        options: RecognitionOptions | None = None,
        live: LiveOptions | None = None,
        *,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> Iterator[LiveEvent]:
        """See `AsyncClient.stream`; `audio` is read in a thread of its own."""
        options = options or RecognitionOptions()
        first = (live or LiveOptions()).message(options)

        def requests() -> Iterator[pb.StreamingRecognizeRequest]:
            yield first
            for piece in audio:
                yield pb.StreamingRecognizeRequest(audio=piece)

        events = LiveEvents(options.task)
        with our_errors():
            metadata = self._connection.metadata(request_id)
            call = self._stub.StreamingRecognize(requests(), metadata=metadata, timeout=timeout_s)
            try:
                for response in call:
                    yield events.take(response)
            finally:
                call.cancel()


def _pieces(file: BinaryIO, options: RecognitionOptions) -> Iterator[pb.UploadRecognizeRequest]:
    yield pb.UploadRecognizeRequest(config=options.message())
    while piece := file.read(PIECE_BYTES):
        yield pb.UploadRecognizeRequest(audio=piece)
