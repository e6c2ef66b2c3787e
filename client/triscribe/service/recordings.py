"""Whole recordings, as any door takes them: short ones at once, uploads in turn, with progress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any

from triscribe.diarization.client import Diarizer
from triscribe.diarization.search import SpeakerSearch
from triscribe.errors import AudioTooLongError, FailedPreconditionError
from triscribe.machine import available_cores
from triscribe.media import declared, decoding
from triscribe.media.declared import PcmFormat
from triscribe.media.pool import DecoderPool, MediaFile
from triscribe.service.calls import WORK, Call
from triscribe.service.clips import known_speakers
from triscribe.service.limits import Backoff
from triscribe.service.requests import Recognition
from triscribe.service.sessions import Sessions
from triscribe.service.settings import GatewaySettings
from triscribe.service.spool import Spool, Spools
from triscribe.tasks import while_working
from triscribe.transcription.events import AudioDecoded, Done, FinalSegments, SpeakersProgress, TextProgress
from triscribe.transcription.transcriber import RunOptions, Source, Transcriber
from triscribe.triton.session import Session
from triscribe.types import Segment, Transcript

NAME = "the audio"
"""Stands for the path of what was sent."""

HEARTBEAT_S = 1.0
"""Progress is yielded at least this often, so that callers and proxies see life."""

_GUESSED_BYTES_PER_S = 8_000
"""Of a file that does not say how long it is: 64 kbit/s, ordinary for compressed speech. Only the outstanding audio
of the metrics depends on it, and only until the file is decoded."""


class Stage(Enum):
    """What is being done with an upload."""

    RECEIVING = auto()
    QUEUED = auto()
    DECODING = auto()
    TRANSCRIBING = auto()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is; `fraction`, 0 to 1, and `received_bytes` never fall."""

    stage: Stage
    fraction: float
    received_bytes: int


UploadEvent = Progress | Segment | Done
"""`Done` comes last."""


class Recordings:
    """Takes recordings of all doors; belongs to one event loop. Call `close` at the end.

    Args:
        settings: limits.
        diarizer: finds speakers; None where there is none.
        sessions: connections to Triton.
    """

    def __init__(self, settings: GatewaySettings, diarizer: Diarizer | None, sessions: Sessions) -> None:
        self._settings = settings
        self._diarizer = diarizer
        self._sessions = sessions
        self._backoff = Backoff()
        self._turns = asyncio.Semaphore(settings.uploads_at_once)
        self._spools = Spools(settings.max_spool_bytes, settings.max_upload_bytes)
        # Two pools: however many long uploads are being decoded, a short recording has threads of its own.
        self._quick_decoder = DecoderPool(at_once=max(4, 2 * available_cores()))
        self._upload_decoder = DecoderPool(at_once=settings.uploads_at_once)

    def close(self) -> None:
        """End the threads of the spools and the idle decoders."""
        self._spools.close()
        self._quick_decoder.close()
        self._upload_decoder.close()

    async def recognize(self, call: Call, recognition: Recognition, audio: bytes) -> Transcript:
        """Work on a short recording. Its session does not retry: the caller hears at once when to come back.

        Raises:
            TriscribeError: as `Transcriber.run`; or the server has refused another call a moment ago.
            TimeoutError: it took longer than `call_timeout_s`.
        """
        started, call.model = time.monotonic(), recognition.model
        options = await self._run_options(recognition, self._settings.max_recognize_s, self._quick_decoder)
        with self._backoff.guard(recognition.model):
            async with asyncio.timeout(self._settings.call_timeout_s):
                async with aclosing(self._run(self._sessions.quick, audio, recognition, options)) as events:
                    async for event in events:
                        if isinstance(event, AudioDecoded):
                            call.outstanding_s = dict.fromkeys(_work(recognition), event.length_s)
                        elif isinstance(event, Done):
                            transcript = event.transcript
        call.audio_in_s = call.audio_out_s = transcript.audio.duration
        call.work_s = time.monotonic() - started
        return transcript

    async def upload(
        self, call: Call, recognition: Recognition, pieces: AsyncIterator[bytes]
    ) -> AsyncGenerator[UploadEvent]:
        """Take a file in pieces and yield what becomes known of it; a few are worked on at once, the others wait.

        Close the iterator to give the work up.

        Raises:
            TooLargeError: it has more bytes, or is longer, than the settings allow.
            TriscribeError: as `Transcriber.run`.
        """
        upload = _Upload(call, recognition)
        async with aclosing(self._events(upload, self._work(upload, pieces))) as events:
            async for event in events:
                yield event

    def spool(self) -> AbstractAsyncContextManager[Spool]:
        """An empty file, for a door that gets a recording before it knows what is wanted; then `transcribe`."""
        return self._spools.open()

    async def transcribe(self, call: Call, recognition: Recognition, spool: Spool) -> AsyncGenerator[UploadEvent]:
        """Work on a file that has arrived, and yield what becomes known of it.

        A short one is worked on at once and without retries, as by `recognize`; others wait for their turn, as those
        of `upload`. Close the iterator to give the work up.

        Raises:
            TriscribeError: as `recognize` or `upload`.
        """
        upload = _Upload(call, recognition)
        upload.received_bytes = spool.size
        async with aclosing(self._events(upload, self._arrived(upload, spool))) as events:
            async for event in events:
                yield event

    async def _events(self, upload: _Upload, work: Coroutine[Any, Any, Transcript]) -> AsyncGenerator[UploadEvent]:
        upload.call.model = upload.recognition.model
        task = asyncio.create_task(work)
        async with aclosing(while_working(upload.events, task, every_s=HEARTBEAT_S, beat=upload.progress)) as events:
            async for event in events:
                yield event
        transcript = task.result()
        yield Progress(upload.stage, 1.0, upload.received_bytes)  # however quick it was
        yield Done(transcript)

    async def _work(self, upload: _Upload, pieces: AsyncIterator[bytes]) -> Transcript:
        async with self._spools.open() as spool:
            await self._receive(upload, spool, pieces)
            await self._measure(upload, spool)
            return await self._in_turn(upload, spool)

    async def _arrived(self, upload: _Upload, spool: Spool) -> Transcript:
        await spool.finish()
        if await self._measure(upload, spool) <= self._settings.max_recognize_s:
            with suppress(AudioTooLongError):  # its header does not have to be right
                return await self._at_once(upload, spool)
        return await self._in_turn(upload, spool)

    async def _measure(self, upload: _Upload, spool: Spool) -> float:
        """Seconds of a file, known before its turn comes: who adds servers has to see what waits here."""
        upload.stage = Stage.QUEUED
        length_s = await self._spools.in_thread(partial(_length_s, spool, upload.recognition.pcm))
        upload.length_is(length_s)
        return length_s

    async def _in_turn(self, upload: _Upload, spool: Spool) -> Transcript:
        waited = time.monotonic()
        async with self._turns:
            upload.call.queue_s = time.monotonic() - waited
            options = await self._run_options(upload.recognition, self._settings.max_upload_s, self._upload_decoder)
            async with self._sessions.upload() as session:
                return await self._transcribe(upload, session, spool, options)

    async def _at_once(self, upload: _Upload, spool: Spool) -> Transcript:
        options = await self._run_options(upload.recognition, self._settings.max_recognize_s, self._quick_decoder)
        with self._backoff.guard(upload.recognition.model):
            async with asyncio.timeout(self._settings.call_timeout_s):
                return await self._transcribe(upload, self._sessions.quick, spool, options)

    async def _receive(self, upload: _Upload, spool: Spool, pieces: AsyncIterator[bytes]) -> None:
        pcm = upload.recognition.pcm
        async for piece in pieces:
            if pcm and not upload.received_bytes:  # a file is refused before it is sent to its end
                declared.header(piece, pcm, is_all=False)
            upload.received_bytes += len(piece)
            await spool.write(piece)
        await spool.finish()

    async def _transcribe(self, upload: _Upload, session: Session, spool: Spool, options: RunOptions) -> Transcript:
        started, upload.stage = time.monotonic(), Stage.DECODING
        file = MediaFile(spool.path, NAME)
        async with aclosing(self._run(session, file, upload.recognition, options)) as events:
            async for event in events:
                if isinstance(event, Done):
                    transcript = event.transcript
                else:
                    upload.take(event)
        upload.call.audio_out_s, upload.call.work_s = transcript.audio.duration, time.monotonic() - started
        return transcript

    def _run(
        self, session: Session, source: Source, recognition: Recognition, options: RunOptions
    ) -> AsyncGenerator[AudioDecoded | TextProgress | SpeakersProgress | FinalSegments | Done]:
        return Transcriber(self._settings.server, recognition.options).run(session, source, options)

    async def _run_options(self, recognition: Recognition, max_s: float, decoder: DecoderPool) -> RunOptions:
        speakers = None
        if recognition.diarization is not None:
            if self._diarizer is None:
                raise FailedPreconditionError("this gateway has no diarizer", field="diarization")
            known = await known_speakers(recognition.known_speakers, self._quick_decoder)
            speakers = SpeakerSearch(self._diarizer, recognition.diarization, known)
        return RunOptions(name=NAME, speakers=speakers, max_duration_s=max_s, pcm=recognition.pcm, decoder=decoder)


class _Upload:
    """How far one upload is, and its events."""

    def __init__(self, call: Call, recognition: Recognition) -> None:
        self.call = call
        self.recognition = recognition
        self.stage = Stage.RECEIVING
        self.received_bytes = 0
        # As long as the transcript, which is kept whole anyway: a slow reader costs nothing more.
        self.events: asyncio.Queue[UploadEvent] = asyncio.Queue()
        self._shares = dict.fromkeys(_work(recognition), 0.0)
        self._fraction = 0.0
        self._length_s = 0.0

    def progress(self) -> Progress:
        return Progress(self.stage, self._fraction, self.received_bytes)

    def take(self, event: AudioDecoded | TextProgress | SpeakersProgress | FinalSegments) -> None:
        """Keep what an event says, and pass final segments on."""
        match event:
            case AudioDecoded(length_s):
                self.stage, self.call.audio_in_s = Stage.TRANSCRIBING, length_s
                self.length_is(length_s)
            case TextProgress(done_s, total_s):
                self._move("text", done_s / total_s if total_s else 1.0)
            case SpeakersProgress(share):
                self._move("speakers", share)
            case FinalSegments(segments):
                for segment in segments:
                    self.events.put_nowait(segment)

    def length_is(self, length_s: float) -> None:
        """The recording has so many seconds, all of which are still to be worked on."""
        self._length_s = length_s
        self._count_outstanding()

    def _move(self, work: str, share: float) -> None:
        self._shares[work] = share
        self._fraction = max(self._fraction, min(1.0, sum(self._shares.values()) / len(self._shares)))
        self._count_outstanding()

    def _count_outstanding(self) -> None:
        self.call.outstanding_s = {work: self._length_s * (1 - share) for work, share in self._shares.items()}


def _work(recognition: Recognition) -> tuple[str, ...]:
    return WORK if recognition.diarization else WORK[:1]


def _length_s(spool: Spool, pcm: PcmFormat | None) -> float:
    """Seconds of audio in a file, at least roughly."""
    if pcm:
        return spool.size / pcm.frame_bytes / pcm.sample_rate
    with spool.path.open("rb") as file:
        return decoding.declared_length_s(file) or spool.size / _GUESSED_BYTES_PER_S
