"""The methods of `SpeechService`; each hands over to the module that does it."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

from triscribe.diarization.client import Diarizer
from triscribe.gateway.grpc.messages import models_message
from triscribe.gateway.grpc.recognize import RecognizeHandler
from triscribe.gateway.grpc.streaming import StreamingHandler
from triscribe.gateway.grpc.upload import UploadHandler
from triscribe.service.metrics import Metrics
from triscribe.service.pipeline import RecordingPipeline
from triscribe.service.sessions import Sessions
from triscribe.service.settings import GatewaySettings
from triscribe.service.watch import Watcher
from triscribe.v1 import speech_pb2 as pb
from triscribe.v1 import speech_pb2_grpc


class SpeechService(speech_pb2_grpc.SpeechServiceServicer):  # type: ignore[misc]
    """See the proto.

    Args:
        sessions: see there.
        pool: threads of voice detection.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        watcher: Watcher,
        metrics: Metrics,
        *,
        diarizer: Diarizer | None,
        sessions: Sessions,
        pool: Executor,
    ) -> None:
        self._settings = settings
        self._watcher = watcher
        pipeline = RecordingPipeline(settings.server, diarizer)
        self._recognize = RecognizeHandler(settings, watcher, pipeline, sessions.quick)
        self._upload = UploadHandler(settings, watcher, pipeline, sessions.upload)
        self._streaming = StreamingHandler(settings, watcher, metrics, sessions, pool)

    async def Recognize(self, request: Any, context: Any) -> pb.RecognizeResponse:  # noqa: N802
        """A short recording."""
        return await self._recognize.handle(request)

    async def UploadRecognize(self, requests: Any, context: Any) -> None:  # noqa: N802
        """A recording of any length."""
        await self._upload.handle(context)

    async def StreamingRecognize(self, requests: Any, context: Any) -> None:  # noqa: N802
        """Live audio."""
        await self._streaming.handle(context)

    async def ListModels(self, request: Any, context: Any) -> pb.ListModelsResponse:  # noqa: N802
        """What is served."""
        return models_message(self._watcher.catalogue, self._settings)
