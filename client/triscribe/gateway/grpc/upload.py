"""`UploadRecognize`: a file in pieces; progress, results and metadata out."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from triscribe.errors import InvalidArgumentError, ResourceExhaustedError
from triscribe.gateway.grpc.messages import metadata_message, result_message
from triscribe.gateway.grpc.requests import Recognition, read_config
from triscribe.media import decoding
from triscribe.service.calls import current_call, read
from triscribe.service.pipeline import Hooks, RecordingPipeline
from triscribe.service.settings import GatewaySettings
from triscribe.service.watch import Watcher
from triscribe.transcription.transcriber import Session
from triscribe.types import Segment, Transcript
from triscribe.v1 import speech_pb2 as pb

HEARTBEAT_S = 1.0
_IN_MEMORY = 16 * 2**20
_GUESSED_BYTES_PER_S = 8_000
"""Of a file that does not say how long it is: 64 kbit/s, ordinary for compressed speech. Only the outstanding audio
of the metrics depends on it, and only until the file is decoded."""


@dataclass
class _Progress:
    """How far one upload is; `fraction` only grows."""

    shares: dict[str, float]
    stage: pb.UploadStage = pb.UPLOAD_STAGE_RECEIVING
    received: int = 0
    fraction: float = 0.0
    length_s: float = 0.0

    def outstanding_s(self) -> dict[str, float]:
        return {part: self.length_s * (1 - share) for part, share in self.shares.items()}

    def move(self, part: str, share: float) -> None:
        self.shares[part] = share
        self.fraction = max(self.fraction, min(1.0, sum(self.shares.values()) / len(self.shares)))

    def message(self) -> pb.UploadRecognizeResponse:
        progress = pb.UploadProgress(stage=self.stage, fraction=self.fraction, received_bytes=self.received)
        return pb.UploadRecognizeResponse(progress=progress)


@dataclass
class _Job:
    """One upload on its way."""

    recognition: Recognition
    progress: _Progress
    # As long as the transcript, which is kept whole anyway: a slow reader costs nothing more.
    segments: asyncio.Queue[Segment] = field(default_factory=asyncio.Queue)


class UploadHandler:
    """Answers uploads; a few are worked on at once, the others wait."""

    def __init__(
        self,
        settings: GatewaySettings,
        watcher: Watcher,
        pipeline: RecordingPipeline,
        make_session: Callable[[], Session],
    ) -> None:
        self._settings = settings
        self._watcher = watcher
        self._pipeline = pipeline
        self._make_session = make_session
        self._turns = asyncio.Semaphore(settings.uploads_at_once)

    async def handle(self, context: Any) -> None:
        """Answer one call."""
        first = await read(context, self._settings.idle_s)
        if first is None or first.WhichOneof("payload") != "config":
            raise InvalidArgumentError("the first message must be the config", field="config")
        recognition = read_config(first.config, self._watcher.catalogue, diarizer=self._settings.diarizer is not None)
        current_call().model = recognition.model
        shares = {"text": 0.0} if recognition.diarization is None else {"text": 0.0, "speakers": 0.0}
        job = _Job(recognition, _Progress(shares))
        work = asyncio.create_task(self._work(context, job))
        try:
            await self._relay(context, job, work)
            transcript = work.result()
        finally:
            work.cancel()
        metadata = metadata_message(transcript, current_call().request_id)
        await context.write(pb.UploadRecognizeResponse(metadata=metadata))

    async def _relay(self, context: Any, job: _Job, work: asyncio.Task[Transcript]) -> None:
        """Send segments as they come, and a heartbeat between them, until the work ends."""
        beat = 0.0
        while True:
            if time.monotonic() - beat >= HEARTBEAT_S:
                await context.write(job.progress.message())
                beat = time.monotonic()
            if job.segments.empty():
                if work.done():
                    return
                following = asyncio.ensure_future(job.segments.get())
                await asyncio.wait({following, work}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    continue
                segment = following.result()
            else:
                segment = job.segments.get_nowait()
            await context.write(pb.UploadRecognizeResponse(result=result_message(segment)))

    async def _work(self, context: Any, job: _Job) -> Transcript:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            file = cast("BinaryIO", spool)
            await self._receive(context, job, file)
            job.progress.stage = pb.UPLOAD_STAGE_QUEUED
            # Known before its turn comes: who adds servers has to see what waits here.
            job.progress.length_s = await asyncio.to_thread(_length_s, file, job.progress.received)
            current_call().outstanding_s = job.progress.outstanding_s()
            waited = time.monotonic()
            async with self._turns:
                current_call().queue_s = time.monotonic() - waited
                return await self._transcribe(job, file)

    async def _receive(self, context: Any, job: _Job, file: BinaryIO) -> None:
        pcm, progress = job.recognition.pcm, job.progress
        if pcm:
            file.write(pcm.wav_header(0))
        while (request := await read(context, self._settings.idle_s)) is not None:
            if request.WhichOneof("payload") != "audio":
                raise InvalidArgumentError("the config comes first, exactly once; then audio", field="audio")
            progress.received += len(request.audio)
            if progress.received > self._settings.max_upload_bytes:
                raise ResourceExhaustedError(f"the file is larger than {self._settings.max_upload_bytes} bytes")
            await asyncio.to_thread(file.write, request.audio)
        if pcm:
            if progress.received % pcm.frame_bytes:
                raise InvalidArgumentError("the audio ends inside a sample", field="audio")
            file.seek(0)
            file.write(pcm.wav_header(progress.received))
        file.seek(0)

    async def _transcribe(self, job: _Job, file: BinaryIO) -> Transcript:
        progress, call, started = job.progress, current_call(), time.monotonic()
        progress.stage = pb.UPLOAD_STAGE_DECODING

        def decoded(length_s: float) -> None:
            progress.stage = pb.UPLOAD_STAGE_TRANSCRIBING
            call.audio_in_s = progress.length_s = length_s
            call.outstanding_s = progress.outstanding_s()

        def moved(part: str, share: float) -> None:
            progress.move(part, share)
            call.outstanding_s = progress.outstanding_s()

        def final(segments: Sequence[Segment]) -> None:
            for segment in segments:
                job.segments.put_nowait(segment)

        hooks = Hooks(
            decoded=decoded,
            transcribed=lambda share: moved("text", share),
            diarized=lambda share: moved("speakers", share),
            final=final,
        )
        async with self._make_session() as session:
            transcript = await self._pipeline.run(
                file, job.recognition, session, max_s=self._settings.max_upload_s, hooks=hooks
            )
        call.audio_out_s, call.work_s = transcript.audio.duration, time.monotonic() - started
        return transcript


def _length_s(file: BinaryIO, size: int) -> float:
    """Seconds of audio in a file, at least roughly; leaves it at its start."""
    length_s = decoding.declared_length_s(file)
    file.seek(0)
    return length_s or size / _GUESSED_BYTES_PER_S
