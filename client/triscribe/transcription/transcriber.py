"""A recording to a transcript: decode, cut, ask for all chunks at once, put together; speakers meanwhile.

What the command, the library and the doors of the gateway share.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from triscribe import blocking
from triscribe.diarization.search import SpeakerSearch, with_speakers
from triscribe.errors import FailedPreconditionError, UsageError
from triscribe.language import languages
from triscribe.language.choice import LanguageChoice
from triscribe.media import pool
from triscribe.media.declared import PcmFormat
from triscribe.media.decoding import Decoded
from triscribe.media.pool import Asked, DecoderPool, Media
from triscribe.speech.chunks import Speech
from triscribe.tasks import all_of, while_working
from triscribe.transcription import channels
from triscribe.transcription.chunks import ChunkTranscriber
from triscribe.transcription.detection import LanguageDetector
from triscribe.transcription.events import (
    AudioDecoded,
    Done,
    Event,
    FinalSegments,
    SpeakersProgress,
    TextProgress,
)
from triscribe.transcription.fan_out import priority_of, transcribe_chunks
from triscribe.transcription.journal import Journal
from triscribe.transcription.options import TranscribeOptions, language_notices
from triscribe.transcription.revising import Reviser
from triscribe.transcription.stitching import stitch
from triscribe.triton.connection import RetryPolicy
from triscribe.triton.session import Session
from triscribe.types import SAMPLE_RATE, Transcript

Progress = Callable[[float, float], None]
"""Called with (audio seconds done, audio seconds in all); the first never falls."""

Source = Media | Decoded
"""Media in any form, or what was decoded already."""


@dataclass(frozen=True)
class RunOptions:
    """How one recording is worked on; what is done with every recording is in `TranscribeOptions`.

    Attributes:
        name: what the transcript calls it; None takes the path, or "-" where there is none.
        speakers: finds the speakers while the text is made; None leaves them out. When that fails the transcript comes
            without them, and with the warning `diarization_failed`.
        journal: chunks that it knows are not asked for again; the caller closes it.
        max_duration_s: longer audio is refused.
        pcm: what headerless audio was declared as; None for a media file.
        decoder: whose processes decode it.
    """

    name: str | None = None
    speakers: SpeakerSearch | None = None
    journal: Journal | None = None
    max_duration_s: float | None = None
    pcm: PcmFormat | None = None
    decoder: DecoderPool = pool.pool


class Transcriber:
    """Transcribes recordings through one Triton. Safe to use for many files at once.

    Args:
        server: HOST:PORT of Triton's gRPC endpoint.
        options: what to do with every recording.
        concurrency: chunks in flight, over all files of one session.
        retry: how a full queue or a restart is waited out.
        ready: waits until the server takes requests, where it may still be starting; recordings are decoded, and
            speakers found, meanwhile.
    """

    def __init__(
        self,
        server: str,
        options: TranscribeOptions | None = None,
        *,
        concurrency: int = 32,
        retry: RetryPolicy | None = None,
        ready: Callable[[], Awaitable[None]] | None = None,
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
        self._ready = ready

    def session(self) -> Session:
        """A session with the server, for several recordings of one event loop."""
        return Session(self._server, self._concurrency, self._retry, ready=self._ready)

    def transcribe(self, source: Source, *, progress: Progress | None = None) -> Transcript:
        """`transcribe_async` for callers without an event loop."""
        return blocking.run(self.transcribe_async(source, progress=progress))

    async def transcribe_async(self, source: Source, *, progress: Progress | None = None) -> Transcript:
        """Transcribe one recording.

        Args:
            source: see `Source`.
            progress: called after every finished chunk.

        Raises:
            AudioError: the media cannot be decoded.
            ServerError: a chunk could not be transcribed; nothing is left out in silence.
        """
        async with self.session() as session:
            return await self.transcribe_in(session, source, progress=progress)

    async def transcribe_in(
        self, session: Session, source: Source, options: RunOptions | None = None, *, progress: Progress | None = None
    ) -> Transcript:
        """The same within a session that other recordings share; errors as `transcribe_async`."""
        async with aclosing(self.run(session, source, options)) as events:
            async for event in events:
                if isinstance(event, Done):
                    return event.transcript
                if isinstance(event, TextProgress) and progress:
                    progress(event.done_s, event.total_s)
        raise AssertionError("a run ends with its result or an error")

    async def run(self, session: Session, source: Source, options: RunOptions | None = None) -> AsyncGenerator[Event]:
        """Yields what becomes known of one recording, `Done` last; close the iterator to give the work up.

        With speakers, and with split channels, all segments become final at the end.

        Raises:
            AudioError: the media cannot be decoded, or is too long.
            ServerError: a chunk could not be transcribed; nothing is left out in silence.
            UsageError: channels are split, so speakers cannot be looked for.
        """
        events: asyncio.Queue[Event] = asyncio.Queue()
        work = asyncio.create_task(self._transcribed(session, source, options or RunOptions(), events.put_nowait))
        async with aclosing(while_working(events, work)) as running:
            async for event in running:
                yield event
        yield Done(work.result())

    async def _transcribed(
        self, session: Session, source: Source, options: RunOptions, emit: Callable[[Event], None]
    ) -> Transcript:
        asked = ChunkTranscriber(session, self._options, options.journal)
        if self._options.channels == "split":
            transcript = await self._split(asked, source, options, emit)
        else:
            decoded, path = await self._decoded(source, options), _name(source, options)
            emit(AudioDecoded(len(decoded.samples) / SAMPLE_RATE))
            if options.journal is not None:
                await asyncio.to_thread(options.journal.open, decoded.samples)
            if options.speakers is None:
                return await self._text(asked, decoded, path, emit)
            transcript = await self._with_speakers(asked, decoded, path, options.speakers, emit)
        emit(FinalSegments(transcript.segments))
        return transcript

    async def _with_speakers(
        self,
        asked: ChunkTranscriber,
        decoded: Decoded,
        path: str,
        speakers: SpeakerSearch,
        emit: Callable[[Event], None],
    ) -> Transcript:
        """Text and speakers at the same time."""
        text = partial(self._text, asked, decoded, path, _but_final(emit))
        find = partial(speakers.find, decoded.samples, lambda share: emit(SpeakersProgress(share)))
        transcript, diarization = await all_of([text, find])
        return with_speakers(transcript, diarization, speakers.options)

    async def _split(
        self, asked: ChunkTranscriber, source: Source, options: RunOptions, emit: Callable[[Event], None]
    ) -> Transcript:
        """Each channel by itself, all at once; see `channels.merge`."""
        if options.speakers is not None:
            raise UsageError("each channel is a speaker already: split channels or find speakers, not both")
        if isinstance(source, Decoded):
            raise UsageError("the channels of decoded audio are mixed already")
        split = await options.decoder.decode_channels(source, self._asked(options))
        lengths_s = [len(decoded.samples) / SAMPLE_RATE for decoded in split]
        done_s = [0.0] * len(split)
        emit(AudioDecoded(lengths_s[0]))

        async def one(index: int, decoded: Decoded) -> Transcript:
            def emit_of_channel(event: Event) -> None:
                if isinstance(event, TextProgress):
                    done_s[index] = event.done_s
                    emit(TextProgress(sum(done_s), sum(lengths_s)))

            return await self._text(asked, decoded, _name(source, options), emit_of_channel)

        return channels.merge(await all_of(partial(one, n, decoded) for n, decoded in enumerate(split)))

    async def _decoded(self, source: Source, options: RunOptions) -> Decoded:
        if isinstance(source, Decoded):
            return source
        return await options.decoder.decode(source, self._asked(options))

    def _asked(self, options: RunOptions) -> Asked:
        return Asked(options.max_duration_s, self._options.audio_track, options.pcm)

    async def _text(
        self, asked: ChunkTranscriber, decoded: Decoded, path: str, emit: Callable[[Event], None]
    ) -> Transcript:
        wanted = self._options.asked_language
        taken = wanted.code
        try:
            transcript = await self._text_in(self._languages, asked, decoded, path, emit)
        except FailedPreconditionError as error:
            if wanted.fallback is None or error.field != "OPTIONS.language":
                raise
            taken = wanted.fallback
            transcript = await self._text_in(replace(self._languages, given=taken), asked, decoded, path, emit)
        return replace(transcript, warnings=(*transcript.warnings, *language_notices(wanted, taken)))

    async def _text_in(
        self,
        choice: LanguageChoice,
        asked: ChunkTranscriber,
        decoded: Decoded,
        path: str,
        emit: Callable[[Event], None],
    ) -> Transcript:
        speech = Speech(decoded, path, self._options.voice_detection)
        detector = LanguageDetector(asked.session, self._options)
        chunks = await choice.chunks(speech, detector)
        total_s = speech.info.duration
        results = await transcribe_chunks(chunks, total_s, Reviser(asked, detector, priority_of(total_s)), emit)
        frame = Transcript(
            speech.info, None, 0.0, self._options.model or "", self._options.task, (), warnings=speech.notices
        )
        return stitch(frame, results, choice.given)


def _name(source: Source, options: RunOptions) -> str:
    if options.name is not None:
        return options.name
    return str(source) if isinstance(source, str | Path) else "-"


def _but_final(emit: Callable[[Event], None]) -> Callable[[Event], None]:
    """Segments have no speaker yet, so they are not final yet."""

    def emit_others(event: Event) -> None:
        if not isinstance(event, FinalSegments):
            emit(event)

    return emit_others
