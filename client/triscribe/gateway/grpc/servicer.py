"""The methods of `SpeechService`: messages in, what `service` yields out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from triscribe.errors import InvalidArgumentError
from triscribe.gateway.grpc.interceptor import GrpcCall
from triscribe.gateway.grpc.messages import (
    metadata_message,
    models_message,
    result_message,
    streaming_message,
    upload_message,
)
from triscribe.gateway.grpc.requests import live_request, recognition_request
from triscribe.service.recordings import Recordings
from triscribe.service.requests import checked, checked_live
from triscribe.service.settings import GatewaySettings
from triscribe.service.streams import Streams
from triscribe.service.watch import Watcher
from triscribe.v1 import speech_pb2 as pb
from triscribe.v1 import speech_pb2_grpc


class SpeechService(speech_pb2_grpc.SpeechServiceServicer):  # type: ignore[misc]
    """See the proto. Handlers get a `GrpcCall` in the place of gRPC's context."""

    def __init__(self, settings: GatewaySettings, watcher: Watcher, recordings: Recordings, streams: Streams) -> None:
        self._settings = settings
        self._watcher = watcher
        self._recordings = recordings
        self._streams = streams

    async def Recognize(self, request: pb.RecognizeRequest, call: GrpcCall) -> pb.RecognizeResponse:  # noqa: N802
        """A short recording."""
        wanted = checked(
            recognition_request(request.config), self._watcher.catalogue, diarizer=self._settings.diarizer is not None
        )
        transcript = await self._recordings.recognize(call.call, wanted, request.audio)
        return pb.RecognizeResponse(
            results=[result_message(segment) for segment in transcript.segments],
            metadata=metadata_message(transcript, call.call.request_id),
        )

    async def UploadRecognize(self, requests: Any, call: GrpcCall) -> None:  # noqa: N802
        """A recording of any length."""
        first = await self._first(call, "config")
        wanted = checked(
            recognition_request(first.config), self._watcher.catalogue, diarizer=self._settings.diarizer is not None
        )
        async with aclosing(self._recordings.upload(call.call, wanted, self._audio(call))) as events:
            async for event in events:
                await call.write(upload_message(event, call.call.request_id))

    async def StreamingRecognize(self, requests: Any, call: GrpcCall) -> None:  # noqa: N802
        """Live audio."""
        first = await self._first(call, "streaming_config")
        live = checked_live(live_request(first.streaming_config), self._watcher.catalogue)
        async with aclosing(self._streams.recognize(call.call, live, self._audio(call))) as events:
            async for event in events:
                await call.write(streaming_message(event, call.call.request_id))

    async def ListModels(self, request: pb.ListModelsRequest, call: GrpcCall) -> pb.ListModelsResponse:  # noqa: N802
        """What is served."""
        return models_message(self._watcher.catalogue, self._settings)

    async def _first(self, call: GrpcCall, payload: str) -> Any:
        first = await call.read(self._settings.idle_s)
        if first is None or first.WhichOneof("payload") != payload:
            raise InvalidArgumentError(f"the first message must be the {payload}", field=payload)
        return first

    async def _audio(self, call: GrpcCall) -> AsyncIterator[bytes]:
        """The audio of a stream, message by message."""
        while (request := await call.read(self._settings.idle_s)) is not None:
            if request.WhichOneof("payload") != "audio":
                raise InvalidArgumentError("the config comes first, exactly once; then audio", field="audio")
            yield request.audio
