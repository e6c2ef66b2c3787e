"""A file to a transcript: decode, cut, fan out, stitch. What the CLI and the gateway share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

import grpc

from triscribe import blocking
from triscribe.diarization.assign import assign
from triscribe.diarization.client import Diarization, DiarizationOptions, Diarizer
from triscribe.errors import DiarizationError, UsageError
from triscribe.language import languages, switching
from triscribe.language.chinese import Script, in_script
from triscribe.language.choice import PROBED_CHUNKS, Heard, LanguageChoice
from triscribe.language.switching import Spoken
from triscribe.media import pool
from triscribe.media.decoding import Decoded
from triscribe.speech.chunking import ChunkingOptions
from triscribe.speech.chunks import Speech
from triscribe.speech.vad import VadOptions
from triscribe.transcription import channels
from triscribe.transcription.journal import Journal
from triscribe.transcription.stitching import InOrder, SegmentSink, stitch
from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.types import (
    SAMPLE_RATE,
    Chunk,
    ChunkResult,
    Notice,
    Segment,
    Task,
    Transcript,
)

Progress = Callable[[float, float], None]
"""Called with (audio seconds done, audio seconds in all); the first never falls."""

DIARIZATION_FAILED = "diarization_failed"
"""Code of the warning that stands in for the speakers."""

INTERACTIVE_S = 60.0
"""Recordings up to this long go before longer ones, as what `Recognize` takes: somebody waits for the answer."""


@dataclass(frozen=True)
class TranscribeOptions:
    """What to do with a recording. None leaves a choice to the server.

    Attributes:
        model: name of a served checkpoint.
        language: code or name; None or "auto" detects it once for the file, "multi" wherever it may change.
        languages: codes that detection chooses from; empty: all that the checkpoint knows.
        script: how Chinese is written; None leaves it as the checkpoint wrote it.
        channels: "split" transcribes each channel by itself, and each is a speaker.
        task: "translate" writes English.
        initial_prompt: text that the recording could be a continuation of.
        hotwords: terms to expect, separated by commas.
        word_timestamps: whether words get times.
        voice_detection: None switches it off, and every second is transcribed.
        chunking: how the file is cut; None leaves it to its language (`chunking.options_for`).
        timeout_s: seconds that one chunk may take, its time in the queue included.
        decoding: further options of docs/contracts.md (temperature, length_penalty, …).
    """

    model: str | None = None
    language: str | None = None
    languages: tuple[str, ...] = ()
    script: Script | None = None
    channels: Literal["mix", "split"] = "mix"
    task: Task = "transcribe"
    initial_prompt: str | None = None
    hotwords: str | None = None
    beam_size: int | None = None
    word_timestamps: bool = True
    voice_detection: VadOptions | None = field(default_factory=VadOptions)
    chunking: ChunkingOptions | None = None
    timeout_s: float = 600.0
    decoding: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for code in self.languages:
            languages.name(code)
        if self.languages and self.fixed_language:
            raise UsageError(
                f"the language is {self.language}, so there are none to choose from: leave one of the two out"
            )

    @property
    def fixed_language(self) -> str | None:
        """The code of the one language, where there is nothing to detect."""
        if self.language == languages.MULTI:
            return None
        return languages.resolve(self.language or languages.AUTO)

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
class _Watchers:
    """Who is told about finished chunks."""

    progress: Progress | None
    final: SegmentSink | None
    journal: Journal | None

    def move(self, done_s: float, total_s: float) -> None:
        """So much of the recording is done."""
        if self.progress and total_s:
            self.progress(done_s, total_s)


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
        self._languages = LanguageChoice(
            self._options.fixed_language,
            self._options.language == languages.MULTI,
            self._options.languages,
            self._options.chunking,
        )
        self._concurrency = concurrency
        self._retry = retry

    def transcribe(self, source: str | Path | bytes | BinaryIO, *, progress: Progress | None = None) -> Transcript:
        """`transcribe_async` for callers without an event loop."""
        return blocking.run(self.transcribe_async(source, progress=progress))

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
        path = "-" if not isinstance(source, str | Path) else str(source)
        if self._options.channels == "split":
            if speakers is not None:
                raise UsageError("each channel is a speaker already: split channels or find speakers, not both")
            split = await pool.pool.decode_channels(source)
            return await self.transcribe_channels(session, split, path=path, progress=progress)
        decoded = await pool.pool.decode(source)
        if journal is not None:
            await asyncio.to_thread(journal.open, decoded.samples)
        text = partial(self.transcribe_decoded, session, decoded, path=path, progress=progress, journal=journal)
        if speakers is None:
            return await text()
        transcript, found = await _all([text, partial(speakers.find, decoded)])
        return with_speakers(transcript, found)

    async def transcribe_channels(
        self, session: Session, split: Sequence[Decoded], *, path: str, progress: Progress | None = None
    ) -> Transcript:
        """Each channel by itself, all at once; see `channels.merge`."""
        lengths_s = [len(decoded.samples) / SAMPLE_RATE for decoded in split]
        done = [0.0] * len(split)

        async def one(index: int, decoded: Decoded) -> Transcript:
            def move(done_s: float, total_s: float) -> None:
                done[index] = lengths_s[index] * done_s / total_s
                if progress:
                    progress(sum(done), sum(lengths_s))

            transcript = await self.transcribe_decoded(session, decoded, path=path, progress=move)
            move(1.0, 1.0)  # also where nobody speaks
            return transcript

        return channels.merge(await _all(partial(one, n, decoded) for n, decoded in enumerate(split)))

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
        speech = Speech(decoded, path, self._options.voice_detection)
        heard = await self._languages.hear(speech, partial(self._detect, session))
        chunks, results = await self._fan_out(session, speech, heard, _Watchers(progress, final, journal))
        language, probability = self._languages.main(chunks, results)
        return stitch(
            speech.info,
            chunks,
            results,
            Transcript(
                speech.info,
                language,
                probability,
                self._options.model or "",
                self._options.task,
                (),
                warnings=speech.notices,
            ),
        )

    async def _detect(self, session: Session, chunks: Sequence[Chunk]) -> list[dict[str, float]]:
        """The probability of each allowed language in each chunk."""
        request = self._options.request(
            language=None, priority="bulk" if len(chunks) > PROBED_CHUNKS else "interactive"
        )

        async def one(chunk: Chunk) -> dict[str, float]:
            async with session.slots:
                found = await session.connection.detect_language(
                    chunk.samples, request, timeout_s=self._options.timeout_s
                )
            return switching.among(found, self._options.languages)

        return await _all(partial(one, chunk) for chunk in chunks)

    async def _fan_out(
        self, session: Session, speech: Speech, heard: Iterator[Heard], watchers: _Watchers
    ) -> tuple[list[Chunk], list[ChunkResult]]:
        """All chunks and their results, in order; a chunk is sent while the next ones are looked for."""
        total_s, done_s = speech.info.duration, 0.0
        priority: Literal["interactive", "bulk"] = "bulk" if total_s > INTERACTIVE_S else "interactive"
        journal = watchers.journal
        in_order = InOrder(watchers.final)

        async def one(chunk: Chunk, spoken: Spoken | None, share_s: float) -> ChunkResult:
            nonlocal done_s
            request = self._options.request(language=spoken.language if spoken else None, priority=priority)
            result = journal.get(chunk, request) if journal else None
            if result is None:
                async with session.slots:
                    result = await session.connection.transcribe(chunk, request, timeout_s=self._options.timeout_s)
                if journal:
                    journal.put(chunk, request, result)
            result = self._finished(result, spoken)
            done_s += share_s
            watchers.move(done_s, total_s)
            in_order.add(chunk, result)
            return result

        chunks: list[Chunk] = []
        tasks: list[asyncio.Task[ChunkResult]] = []
        async with _first_error(), asyncio.TaskGroup() as group:
            while following := await asyncio.to_thread(next, heard, None):
                chunk, spoken = following
                # The pause before a chunk is done with it.
                share_s = chunk.end - (chunks[-1].end if chunks else 0.0)
                chunks.append(chunk)
                tasks.append(group.create_task(one(chunk, spoken, share_s)))
        watchers.move(total_s, total_s)
        return chunks, [task.result() for task in tasks]

    def _finished(self, result: ChunkResult, heard: Spoken | None) -> ChunkResult:
        """With what only the client knows: how sure the language is, and the script wanted."""
        probability = heard.probability if heard else result.language_probability

        def finished(segment: Segment) -> Segment:
            segment = replace(segment, language_probability=probability)
            return in_script(segment, self._options.script) if self._options.script else segment

        return replace(
            result, language_probability=probability, segments=tuple(finished(part) for part in result.segments)
        )


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
    async with _first_error(), asyncio.TaskGroup() as group:
        tasks = [group.create_task(call()) for call in calls]
    return [task.result() for task in tasks]


@asynccontextmanager
async def _first_error() -> AsyncIterator[None]:
    """Raise the first error of a group of tasks as it is."""
    try:
        yield
    except* Exception as errors:
        raise _first(errors) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
