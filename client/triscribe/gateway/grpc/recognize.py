"""`Recognize`: a short recording in one message."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from triscribe.errors import InvalidArgumentError
from triscribe.gateway.grpc.messages import metadata_message, result_message
from triscribe.gateway.grpc.requests import read_config
from triscribe.service.calls import WORK, current_call
from triscribe.service.limits import Backoff
from triscribe.service.pipeline import Hooks, RecordingPipeline
from triscribe.service.settings import GatewaySettings
from triscribe.service.watch import Watcher
from triscribe.transcription.transcriber import Session
from triscribe.v1 import speech_pb2 as pb


class RecognizeHandler:
    """Answers unary calls. Their session does not retry: the caller is told at once, and when to come back."""

    def __init__(
        self, settings: GatewaySettings, watcher: Watcher, pipeline: RecordingPipeline, session: Session
    ) -> None:
        self._settings = settings
        self._watcher = watcher
        self._pipeline = pipeline
        self._session = session
        self._backoff = Backoff()

    async def handle(self, request: Any) -> pb.RecognizeResponse:
        """Answer one call."""
        call, started = current_call(), time.monotonic()
        recognition = read_config(request.config, self._watcher.catalogue, diarizer=self._settings.diarizer is not None)
        call.model = recognition.model
        audio = request.audio
        if recognition.pcm:
            if len(audio) % recognition.pcm.frame_bytes:
                raise InvalidArgumentError("the audio ends inside a sample", field="audio")
            audio = recognition.pcm.wav_header(len(audio)) + audio

        def decoded(length_s: float) -> None:
            work = WORK if recognition.diarization else WORK[:1]
            call.outstanding_s = dict.fromkeys(work, length_s)

        hooks = Hooks(
            decoded=decoded,
            transcribed=lambda share: None,
            diarized=lambda share: None,
            final=lambda segments: None,
        )
        with self._backoff.guard(recognition.model):
            async with asyncio.timeout(self._settings.call_timeout_s):
                transcript = await self._pipeline.run(
                    audio, recognition, self._session, max_s=self._settings.max_recognize_s, hooks=hooks
                )
        call.audio_in_s = call.audio_out_s = transcript.audio.duration
        call.work_s = time.monotonic() - started
        return pb.RecognizeResponse(
            results=[result_message(segment) for segment in transcript.segments],
            metadata=metadata_message(transcript, call.request_id),
        )
