"""A file to a transcript: decode, cut, fan out, stitch. What the CLI and the gateway share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

import grpc

from triscribe import background, channels, chunking, decoder, languages, multilingual, vad
from triscribe.audio import Decoded
from triscribe.chinese import Script, in_script
from triscribe.chunking import ChunkingOptions
from triscribe.diarization import Diarization, DiarizationOptions, Diarizer
from triscribe.errors import DiarizationError, UsageError
from triscribe.journal import Journal
from triscribe.multilingual import Spoken
from triscribe.speakers import assign
from triscribe.stitching import InOrder, SegmentSink, stitch
from triscribe.triton import RetryPolicy, TritonConnection
from triscribe.types import (
    SAMPLE_RATE,
    AudioInfo,
    Chunk,
    ChunkResult,
    Notice,
    Samples,
    Segment,
    Span,
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
class _Prepared:
    """A file that is ready to be sent."""

    info: AudioInfo
    samples: Samples
    spans: Sequence[Span] | None
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
        self._language = self._options.fixed_language
        self._multi = self._options.language == languages.MULTI
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
        path = "-" if not isinstance(source, str | Path) else str(source)
        if self._options.channels == "split":
            if speakers is not None:
                raise UsageError("each channel is a speaker already: split channels or find speakers, not both")
            split = await decoder.pool.decode_channels(source)
            return await self.transcribe_channels(session, split, path=path, progress=progress)
        decoded = await decoder.pool.decode(source)
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
        prepared = await asyncio.to_thread(self._prepare, decoded, path)
        chunks, spoken = await self._languages(session, prepared)
        results = await self._fan_out(session, chunks, spoken, progress, final, journal)
        language, probability = self._main_language(chunks, results)
        return stitch(
            prepared.info,
            chunks,
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
        return _Prepared(AudioInfo(path, len(decoded.samples) / SAMPLE_RATE), decoded.samples, spans, decoded.notices)

    def _cut(self, prepared: _Prepared, language: str | None) -> list[Chunk]:
        """The chunks of a recording in one language, None where it is not known yet."""
        options = self._options.chunking or chunking.options_for(language)
        return chunking.cut(prepared.samples, prepared.spans, options)

    async def _languages(
        self, session: Session, prepared: _Prepared
    ) -> tuple[Sequence[Chunk], Sequence[Spoken | None]]:
        """What is to be sent, and in which language each; None leaves that to the server."""
        if self._multi:
            windows = chunking.cut(prepared.samples, prepared.spans, multilingual.WINDOWS)
            detected = await self._detect(session, windows)
            heard = multilingual.settle(detected, [window.duration for window in windows])
            options = self._options.chunking or chunking.DEFAULT_OPTIONS
            return await asyncio.to_thread(multilingual.chunks_by_language, prepared.samples, windows, heard, options)
        chunks = await asyncio.to_thread(self._cut, prepared, self._language)
        if self._language:
            return chunks, [Spoken(self._language, 1.0)] * len(chunks)
        if len(chunks) > 1 or (chunks and self._options.languages):
            probed = chunks[:PROBED_CHUNKS]
            mean = multilingual.mix(await self._detect(session, probed), [chunk.duration for chunk in probed])
            best = max(mean, key=mean.__getitem__)
            chunks = await asyncio.to_thread(self._cut, prepared, best)
            return chunks, [Spoken(best, mean[best])] * len(chunks)
        return chunks, [None] * len(chunks)

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
            return multilingual.among(found, self._options.languages)

        return await _all(partial(one, chunk) for chunk in chunks)

    def _main_language(self, chunks: Sequence[Chunk], results: Sequence[ChunkResult]) -> tuple[str | None, float]:
        """The language of most of the speech, and how probable it is there."""
        if self._language:
            return self._language, 1.0
        shares: dict[str, float] = {}
        for chunk, result in zip(chunks, results, strict=True):
            if result.language:
                shares[result.language] = shares.get(result.language, 0.0) + chunk.duration
        if not shares:
            return None, 0.0
        main = max(shares, key=shares.__getitem__)
        sure_s = sum(
            chunk.duration * result.language_probability
            for chunk, result in zip(chunks, results, strict=True)
            if result.language == main
        )
        return main, sure_s / shares[main]

    async def _fan_out(
        self,
        session: Session,
        chunks: Sequence[Chunk],
        spoken: Sequence[Spoken | None],
        progress: Progress | None,
        final: SegmentSink | None,
        journal: Journal | None,
    ) -> list[ChunkResult]:
        priority: Literal["interactive", "bulk"] = "bulk" if len(chunks) > 1 else "interactive"
        done_s = 0.0
        in_order = InOrder(final)

        async def one(chunk: Chunk, heard: Spoken | None) -> ChunkResult:
            nonlocal done_s
            request = self._options.request(language=heard.language if heard else None, priority=priority)
            result = journal.get(chunk, request) if journal else None
            if result is None:
                async with session.slots:
                    result = await session.connection.transcribe(chunk, request, timeout_s=self._options.timeout_s)
                if journal:
                    journal.put(chunk, request, result)
            result = self._finished(result, heard)
            done_s = done_s + chunk.duration
            if progress:
                progress(done_s, total_s)
            in_order.add(chunk, result)
            return result

        total_s = sum(chunk.duration for chunk in chunks)
        return await _all(partial(one, chunk, heard) for chunk, heard in zip(chunks, spoken, strict=True))

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
