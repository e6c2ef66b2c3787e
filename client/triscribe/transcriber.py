"""A file to a transcript: decode, cut, fan out, stitch. What the CLI and the gateway share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

import grpc

from triscribe import background, chunking, decoder, languages, vad
from triscribe.audio import Decoded
from triscribe.chunking import ChunkingOptions
from triscribe.diarization import Diarization, DiarizationOptions, Diarizer
from triscribe.errors import DiarizationError
from triscribe.journal import Journal
from triscribe.speakers import assign
from triscribe.stitching import InOrder, SegmentSink, stitch
from triscribe.triton import RetryPolicy, TritonConnection
from triscribe.types import (
    SAMPLE_RATE,
    AudioInfo,
    Chunk,
    ChunkResult,
    Notice,
    Task,
    Transcript,
)
from triscribe.vad import VadOptions

Progress = Callable[[float, float], None]
"""Called with (audio seconds done, audio seconds in all); the first never falls."""

DIARIZATION_FAILED = "diarization_failed"
"""Code of the warning that stands in for the speakers."""

PROBED_CHUNKS = 3
"""Chunks that decide on the language of a file."""


@dataclass(frozen=True)
class TranscribeOptions:
    """What to do with a recording. None leaves a choice to the server.

    Attributes:
        model: name of a served checkpoint.
        language: code or English name; None or "auto" detects it once for the file.
        task: "translate" writes English.
        initial_prompt: text that the recording could be a continuation of.
        hotwords: terms to expect, separated by commas.
        word_timestamps: whether words get times.
        voice_detection: None switches it off, and every second is transcribed.
        chunking: how the file is cut.
        timeout_s: seconds that one chunk may take, its time in the queue included.
        decoding: further options of docs/contracts.md (temperature, length_penalty, …).
    """

    model: str | None = None
    language: str | None = None
    task: Task = "transcribe"
    initial_prompt: str | None = None
    hotwords: str | None = None
    beam_size: int | None = None
    word_timestamps: bool = True
    voice_detection: VadOptions | None = field(default_factory=VadOptions)
    chunking: ChunkingOptions = field(default_factory=ChunkingOptions)
    timeout_s: float = 600.0
    decoding: Mapping[str, Any] = field(default_factory=dict)

    def request(self, *, language: str | None, priority: Literal["interactive", "bulk"]) -> dict[str, Any]:
        """The OPTIONS of one chunk."""
        chosen = {
            "model": self.model,
            "initial_prompt": self.initial_prompt,
            "hotwords": self.hotwords,
            "beam_size": self.beam_size,
        }
        return {
            **{name: value for name, value in chosen.items() if value is not None},
            "language": language,
            "task": self.task,
            "word_timestamps": self.word_timestamps,
            "priority": priority,
            **self.decoding,
        }


@dataclass(frozen=True)
class _Prepared:
    """A file that is ready to be sent."""

    info: AudioInfo
    chunks: Sequence[Chunk]
    notices: tuple[Notice, ...]


class Transcriber:
    """Transcribes recordings through one Triton. Safe to use for many files at once.

    Args:
        server: HOST:PORT of Triton's gRPC endpoint.
        options: what to do with every recording.
        concurrency: chunks in flight, over all files of one event loop.
    """

    def __init__(
        self,
        server: str,
        options: TranscribeOptions | None = None,
        *,
        concurrency: int = 32,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._server = server
        self._options = options or TranscribeOptions()
        self._language = languages.resolve(self._options.language or "auto")
        self._concurrency = concurrency
        self._retry = retry

    def transcribe(self, source: str | Path | bytes | BinaryIO, *, progress: Progress | None = None) -> Transcript:
        """`transcribe_async` for callers without an event loop."""
        return background.run(self.transcribe_async(source, progress=progress))

    async def transcribe_async(
        self, source: str | Path | bytes | BinaryIO, *, progress: Progress | None = None
    ) -> Transcript:
        """Transcribe one recording.

        Args:
            source: a path, the bytes of a media file, or an open binary stream.
            progress: told about every finished chunk.

        Raises:
            AudioError: the media cannot be decoded.
            ServerError: a chunk could not be transcribed; nothing is left out in silence.
        """
        async with Session(self._server, self._concurrency, self._retry) as session:
            return await self.transcribe_in(session, source, progress=progress)

    async def transcribe_in(
        self,
        session: Session,
        source: str | Path | bytes | BinaryIO,
        *,
        progress: Progress | None = None,
        speakers: Speakers | None = None,
        journal: Journal | None = None,
    ) -> Transcript:
        """The same within a session that is shared with other files, with names for the speakers if wanted.

        Speakers are found while the text is. When that fails the transcript comes without them, and with the
        warning `diarization_failed`. Chunks that `journal` knows are not asked for again; the caller closes it.
        """
        decoded = await decoder.pool.decode(source)
        if journal is not None:
            await asyncio.to_thread(journal.open, decoded.samples)
        path = "-" if not isinstance(source, str | Path) else str(source)
        text = partial(self.transcribe_decoded, session, decoded, path=path, progress=progress, journal=journal)
        if speakers is None:
            return await text()
        transcript, found = await _all([text, partial(speakers.find, decoded)])
        return with_speakers(transcript, found)

    async def transcribe_decoded(
        self,
        session: Session,
        decoded: Decoded,
        *,
        path: str,
        progress: Progress | None = None,
        final: SegmentSink | None = None,
        journal: Journal | None = None,
    ) -> Transcript:
        """The same for audio that was decoded already; `final` gets the segments as soon as they are known."""
        prepared = await asyncio.to_thread(self._prepare, decoded, path)
        results, language, probability = await self._fan_out(session, prepared, progress, final, journal)
        return stitch(
            prepared.info,
            prepared.chunks,
            results,
            Transcript(
                prepared.info,
                language,
                probability,
                self._options.model or "",
                self._options.task,
                (),
                warnings=prepared.notices,
            ),
        )

    def _prepare(self, decoded: Decoded, path: str) -> _Prepared:
        spans = None
        if self._options.voice_detection is not None:
            spans = vad.speech_spans(decoded.samples, self._options.voice_detection)
        chunks = chunking.cut(decoded.samples, spans, self._options.chunking)
        return _Prepared(AudioInfo(path, len(decoded.samples) / SAMPLE_RATE), chunks, decoded.notices)

    async def _fan_out(
        self,
        session: Session,
        prepared: _Prepared,
        progress: Progress | None,
        final: SegmentSink | None,
        journal: Journal | None,
    ) -> tuple[list[ChunkResult], str | None, float]:
        chunks = prepared.chunks
        language, probability = self._language, 1.0 if self._language else 0.0
        if language is None and len(chunks) > 1:
            language, probability = await self._probe(session, chunks)
        request = self._options.request(language=language, priority="bulk" if len(chunks) > 1 else "interactive")
        done_s = 0.0
        in_order = InOrder(final)

        async def one(chunk: Chunk) -> ChunkResult:
            nonlocal done_s
            result = journal.get(chunk, request) if journal else None
            if result is None:
                async with session.slots:
                    result = await session.connection.transcribe(chunk, request, timeout_s=self._options.timeout_s)
                if journal:
                    journal.put(chunk, request, result)
            done_s = done_s + chunk.duration
            if progress:
                progress(done_s, total_s)
            in_order.add(chunk, result)
            return result

        total_s = sum(chunk.duration for chunk in chunks)
        results = await _all(partial(one, chunk) for chunk in chunks)
        if language is None and results and results[0].language:
            language, probability = results[0].language, results[0].language_probability
        return results, language, probability

    async def _probe(self, session: Session, chunks: Sequence[Chunk]) -> tuple[str, float]:
        """The language of a file: the mean over its first chunks, each weighted by its length."""
        probed = chunks[:PROBED_CHUNKS]
        request = self._options.request(language=None, priority="interactive")

        async def one(chunk: Chunk) -> dict[str, float]:
            async with session.slots:
                return await session.connection.detect_language(
                    chunk.samples, request, timeout_s=self._options.timeout_s
                )

        answers = await _all(partial(one, chunk) for chunk in probed)
        total_s = sum(chunk.duration for chunk in probed)
        mean = {
            code: sum(a.get(code, 0.0) * c.duration for a, c in zip(answers, probed, strict=True)) / total_s
            for code in {code for answer in answers for code in answer}
        }
        best = max(mean, key=mean.__getitem__)
        return best, mean[best]


@dataclass(frozen=True)
class Speakers:
    """Who finds the speakers, and what is known about them."""

    diarizer: Diarizer
    options: DiarizationOptions

    async def find(self, decoded: Decoded) -> Diarization | DiarizationError:
        """The turns, or why there are none: the text is worth having without them."""
        try:
            return await self.diarizer.diarize(decoded.samples, self.options)
        except DiarizationError as error:
            return error


def with_speakers(transcript: Transcript, diarization: Diarization | DiarizationError) -> Transcript:
    """The transcript with a speaker for every word, or with a warning in their place."""
    if isinstance(diarization, DiarizationError):
        notice = Notice(DIARIZATION_FAILED, f"no speakers: {diarization}")
        return replace(transcript, warnings=(*transcript.warnings, notice))
    return replace(
        transcript,
        segments=assign(transcript.segments, diarization),
        speakers=diarization.speakers,
        turns=diarization.turns,
        overlaps=diarization.overlaps,
        embeddings=diarization.embeddings,
    )


class Session:
    """A connection and the bound on what is in flight over it; shared by the files of one call."""

    def __init__(
        self,
        server: str,
        concurrency: int = 32,
        retry: RetryPolicy | None = None,
        *,
        headers: Callable[[], dict[str, str]] = dict,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.connection = TritonConnection(server, retry=retry, headers=headers, credentials=credentials)
        self.slots = asyncio.Semaphore(concurrency)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.connection.__aexit__(None, None, None)


async def _all(calls: Any) -> list[Any]:
    """All results in order; the first error cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call()) for call in calls]
    except* Exception as errors:
        raise _first(errors) from None
    return [task.result() for task in tasks]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
