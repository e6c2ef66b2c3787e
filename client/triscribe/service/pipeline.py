"""A recording to a transcript with speakers: what `Recognize` and `UploadRecognize` share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from triscribe.diarization.client import Diarization, Diarizer
from triscribe.errors import DiarizationError, FailedPreconditionError
from triscribe.gateway.grpc.requests import Recognition
from triscribe.media import pool
from triscribe.media.decoding import Decoded
from triscribe.transcription.stitching import SegmentSink
from triscribe.transcription.transcriber import Session, Transcriber, with_speakers
from triscribe.types import SAMPLE_RATE, Transcript

NAME = "the audio"
"""Stands for the path of an upload."""


@dataclass(frozen=True)
class Hooks:
    """Who is told what while a recording is worked on.

    Attributes:
        decoded: the length of the audio in seconds, once known.
        transcribed: share of the audio that is text, 0 to 1.
        diarized: share of the diarizer's work, 0 to 1.
        final: segments that will not change.
    """

    decoded: Callable[[float], None]
    transcribed: Callable[[float], None]
    diarized: Callable[[float], None]
    final: SegmentSink


class RecordingPipeline:
    """decode → transcribe and diarize at once → a speaker for every word."""

    def __init__(self, server: str, diarizer: Diarizer | None) -> None:
        self._server = server
        self._diarizer = diarizer

    async def run(
        self, source: bytes | BinaryIO, recognition: Recognition, session: Session, *, max_s: float, hooks: Hooks
    ) -> Transcript:
        """Work on one recording. A diarizer that fails leaves the warning `diarization_failed`.

        Raises:
            TriscribeError: as `Transcriber.transcribe_async`.
        """
        transcriber = Transcriber(self._server, recognition.options)

        def progress(done_s: float, total_s: float) -> None:
            hooks.transcribed(done_s / total_s)

        if recognition.options.channels == "split":
            split = await pool.pool.decode_channels(source, max_duration_s=max_s)
            hooks.decoded(len(split[0].samples) / SAMPLE_RATE)
            transcript = await transcriber.transcribe_channels(session, split, path=NAME, progress=progress)
            hooks.final(transcript.segments)
            return transcript
        decoded = await pool.pool.decode(source, max_duration_s=max_s)
        hooks.decoded(len(decoded.samples) / SAMPLE_RATE)

        async def transcribe(final: SegmentSink | None) -> Transcript:
            return await transcriber.transcribe_decoded(session, decoded, path=NAME, progress=progress, final=final)

        if recognition.diarization is None:
            return await transcribe(hooks.final)
        async with asyncio.TaskGroup() as group:
            text = group.create_task(transcribe(None))
            turns = group.create_task(self._diarize(decoded, recognition, hooks))
        transcript = with_speakers(text.result(), turns.result())
        hooks.final(transcript.segments)
        return transcript

    async def _diarize(
        self, decoded: Decoded, recognition: Recognition, hooks: Hooks
    ) -> Diarization | DiarizationError:
        """The turns, or why there are none: the text is worth having without them."""
        if self._diarizer is None:
            raise FailedPreconditionError("this gateway has no diarizer", field="config.features.diarization")
        try:
            return await self._diarizer.diarize(decoded.samples, recognition.diarization, progress=hooks.diarized)
        except DiarizationError as error:
            return error
