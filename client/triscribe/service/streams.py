"""Live audio, as any door takes it: packets in, results out while somebody speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass

from triscribe.errors import TooLargeError
from triscribe.live.events import FinalResult, LiveEvent
from triscribe.live.recognizer import LiveRecognizer
from triscribe.live.stretches import StretchTranscriber
from triscribe.media.pcm import PcmStream
from triscribe.service.calls import Call
from triscribe.service.metrics import Metrics
from triscribe.service.requests import LiveRecognition
from triscribe.service.sessions import Sessions
from triscribe.service.settings import GatewaySettings
from triscribe.tasks import first_error, while_working
from triscribe.transcription.chunks import ChunkTranscriber
from triscribe.types import Notice


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """What is known of a stream once all of it is final; lengths in seconds. `mix` as in `AudioInfo`."""

    model: str
    language: str | None
    language_probability: float
    length_s: float
    notices: tuple[Notice, ...]
    mix: str | None = None


StreamEvent = LiveEvent | StreamEnd


class Streams:
    """Takes live calls of all doors.

    Args:
        settings: limits.
        metrics: get the delay of every final.
        sessions: connections to Triton.
        threads: run voice detection.
    """

    def __init__(self, settings: GatewaySettings, metrics: Metrics, sessions: Sessions, threads: Executor) -> None:
        self._settings = settings
        self._metrics = metrics
        self._sessions = sessions
        self._threads = threads

    async def recognize(
        self, call: Call, live: LiveRecognition, packets: AsyncIterator[bytes]
    ) -> AsyncGenerator[StreamEvent]:
        """Yield what becomes known of a stream, `StreamEnd` last. Close the iterator to give the stream up.

        A call may have several streams, one after the other; its lengths and limits are those of all together.

        Args:
            call: this call.
            live: what is wanted.
            packets: the audio, encoded as `live.pcm` says, in pieces of any length.

        Raises:
            AudioError: the audio is not what it was declared as.
            TooLargeError: the stream is longer than the settings allow.
            ServerError: a stretch could not be transcribed; nothing is left out in silence.
        """
        call.model = live.model
        recognize = StretchTranscriber(
            ChunkTranscriber(self._sessions.quick, live.options), ChunkTranscriber(self._sessions.patient, live.options)
        )
        recognizer = LiveRecognizer(recognize, live.listening, self._threads)
        audio = PcmStream(live.pcm)
        before_s = call.audio_in_s
        work = asyncio.create_task(self._work(call, audio, recognizer, packets))
        async with aclosing(while_working(recognizer.events, work)) as events:
            async for event in events:
                if isinstance(event, FinalResult):
                    call.audio_out_s = before_s + event.segments[-1].end
                    call.outstanding_s = {"text": recognizer.outstanding_s}
                    self._metrics.final_delay_seconds.labels(call.model).observe(event.delay_s)
                yield event
        call.outstanding_s = {}
        yield StreamEnd(
            recognizer.model,
            recognizer.language,
            recognizer.language_probability,
            recognizer.received_s,
            (*live.notices, *recognizer.notices, *audio.notices()),
            audio.mix,
        )

    async def _work(
        self, call: Call, audio: PcmStream, recognizer: LiveRecognizer, packets: AsyncIterator[bytes]
    ) -> None:
        async with first_error(), asyncio.TaskGroup() as group:
            group.create_task(self._receive(call, audio, recognizer, packets))
            group.create_task(recognizer.run())

    async def _receive(
        self, call: Call, audio: PcmStream, recognizer: LiveRecognizer, packets: AsyncIterator[bytes]
    ) -> None:
        before_s = call.audio_in_s
        async for packet in packets:
            await recognizer.push(audio.push(packet)[0])
            call.audio_in_s = before_s + recognizer.received_s
            call.outstanding_s = {"text": recognizer.outstanding_s}
            if call.audio_in_s > self._settings.max_streaming_s:
                raise TooLargeError(f"the stream is longer than {self._settings.max_streaming_s:g} s", field="audio")
        await recognizer.push(audio.finish()[0])
        await recognizer.finish()
