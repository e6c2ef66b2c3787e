"""`StreamingRecognize`: the messages around a `LiveRecognizer`."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from triscribe.errors import InvalidArgumentError, ResourceExhaustedError
from triscribe.gateway.grpc.messages import bcp47, duration, result_message, warning_messages
from triscribe.gateway.grpc.requests import LiveRecognition, read_live_config
from triscribe.language.chinese import in_script
from triscribe.live.recognizer import Decode, LiveEvent, LiveOptions, LiveRecognizer, LiveResult
from triscribe.media.pcm import PcmStream
from triscribe.service.calls import current_call, read
from triscribe.service.metrics import Metrics
from triscribe.service.sessions import Sessions
from triscribe.service.settings import GatewaySettings
from triscribe.service.watch import Watcher
from triscribe.types import SAMPLE_RATE, Chunk, ChunkResult, Samples
from triscribe.v1 import speech_pb2 as pb

_QUICK: dict[str, Any] = {"beam_size": 1, "temperature": [0.0]}
"""Decoding of what is not final."""


class StreamingHandler:
    """Answers live calls; `pool` has the threads of voice detection."""

    def __init__(
        self, settings: GatewaySettings, watcher: Watcher, metrics: Metrics, sessions: Sessions, pool: Executor
    ) -> None:
        self._settings = settings
        self._watcher = watcher
        self._metrics = metrics
        self._sessions = sessions
        self._pool = pool

    async def handle(self, context: Any) -> None:
        """Answer one call."""
        first = await read(context, self._settings.idle_s)
        if first is None or first.WhichOneof("payload") != "streaming_config":
            raise InvalidArgumentError("the first message must be the streaming_config", field="streaming_config")
        live = read_live_config(first.streaming_config, self._watcher.catalogue)
        call = current_call()
        call.model = live.recognition.model
        options = LiveOptions(live.interims, live.events, live.end_s, live.recognition.options.language)
        recognizer = LiveRecognizer(self._decoder(live), options, self._pool)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receive(context, live, recognizer))
            group.create_task(recognizer.run())
            async for event in recognizer.events():
                if isinstance(event, LiveResult) and event.stability is None:
                    call.audio_out_s = event.segments[-1].end
                    call.outstanding_s = {"text": recognizer.outstanding_s}
                    self._metrics.final_delay_seconds.labels(call.model).observe(event.delay_s)
                await context.write(_message(event))
        await context.write(pb.StreamingRecognizeResponse(metadata=_metadata(recognizer, call.request_id)))

    async def _receive(self, context: Any, live: LiveRecognition, recognizer: LiveRecognizer) -> None:
        stream, call = PcmStream(live.pcm), current_call()
        while (request := await read(context, self._settings.idle_s)) is not None:
            if request.WhichOneof("payload") != "audio":
                raise InvalidArgumentError("the config comes first, exactly once; then audio", field="audio")
            await recognizer.push(stream.push(request.audio))
            call.audio_in_s = recognizer.heard_s
            call.outstanding_s = {"text": recognizer.outstanding_s}
            if call.audio_in_s > self._settings.max_streaming_s:
                raise ResourceExhaustedError(f"the stream is longer than {self._settings.max_streaming_s:g} s")
        await recognizer.push(stream.finish())
        await recognizer.finish()

    def _decoder(self, live: LiveRecognition) -> Decode:
        options = live.recognition.options

        async def decode(samples: Samples, full: bool, language: str | None) -> ChunkResult:
            session = self._sessions.patient if full else self._sessions.quick
            request = options.request(language=language, priority="interactive")
            if not full:
                request |= _QUICK | {"word_timestamps": True}  # the cuts are made by the times of words
            async with session.slots:
                result = await session.connection.transcribe(
                    Chunk(0, 0.0, samples), request, timeout_s=options.timeout_s
                )
            if options.script is None:
                return result
            return replace(result, segments=tuple(in_script(part, options.script) for part in result.segments))

        return decode


def _message(event: LiveEvent) -> pb.StreamingRecognizeResponse:
    if not isinstance(event, LiveResult):
        begins, ends = pb.SPEECH_EVENT_TYPE_SPEECH_ACTIVITY_BEGIN, pb.SPEECH_EVENT_TYPE_SPEECH_ACTIVITY_END
        return pb.StreamingRecognizeResponse(
            speech_event_type=begins if event.begins else ends,
            speech_event_offset=duration(event.sample / SAMPLE_RATE),
        )
    final = event.stability is None
    return pb.StreamingRecognizeResponse(
        results=[result_message(segment, final=final, stability=event.stability or 0.0) for segment in event.segments]
    )


def _metadata(recognizer: LiveRecognizer, request_id: str) -> pb.RecognitionMetadata:
    return pb.RecognitionMetadata(
        request_id=request_id,
        model=recognizer.model,
        language_code=bcp47(recognizer.language),
        language_confidence=recognizer.language_probability,
        audio_duration=duration(recognizer.heard_s),
        warnings=warning_messages(recognizer.notices),
    )
