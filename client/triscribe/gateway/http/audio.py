"""The two routes that take a recording: a form in, what `service.recordings` yields out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from triscribe.errors import InvalidArgumentError
from triscribe.gateway.http.answering import HttpCall
from triscribe.gateway.http.events import begun, event_stream
from triscribe.gateway.http.forms import read_form
from triscribe.gateway.http.parameters import F, TranslationForm, parsed
from triscribe.gateway.http.transcription_form import TranscriptionForm
from triscribe.gateway.http.written import written
from triscribe.service.recordings import Recordings, UploadEvent
from triscribe.service.requests import Recognition, checked
from triscribe.service.settings import GatewaySettings
from triscribe.service.spool import Spool
from triscribe.service.watch import Watcher
from triscribe.transcription.events import Done
from triscribe.types import Transcript


class AudioRoutes:
    """`/v1/audio/transcriptions` and `/v1/audio/translations`."""

    def __init__(self, settings: GatewaySettings, watcher: Watcher, recordings: Recordings) -> None:
        self._settings = settings
        self._watcher = watcher
        self._recordings = recordings

    async def transcribe(self, http: HttpCall) -> None:
        """A recording to text, whole or as it becomes known."""
        async with self._recordings.spool() as spool:
            form, recognition = await self._asked(http, spool, TranscriptionForm)
            async with http.exchange.watched(), aclosing(self._events(http, recognition, spool)) as events:
                if form.stream:
                    await http.exchange.answer(event_stream(await begun(events), events, form))
                else:
                    await self._answer_whole(http, events, form)

    async def translate(self, http: HttpCall) -> None:
        """A recording to English text."""
        async with self._recordings.spool() as spool:
            form, recognition = await self._asked(http, spool, TranslationForm)
            async with http.exchange.watched(), aclosing(self._events(http, recognition, spool)) as events:
                await self._answer_whole(http, events, form)

    async def _answer_whole(
        self, http: HttpCall, events: AsyncIterator[UploadEvent], form: TranscriptionForm | TranslationForm
    ) -> None:
        transcript = await _whole(events)
        await http.exchange.answer(await asyncio.to_thread(written, transcript, form))  # a page of hours takes a while

    async def _asked(self, http: HttpCall, spool: Spool, kind: type[F]) -> tuple[F, Recognition]:
        exchange, settings = http.exchange, self._settings
        fields = await read_form(exchange.headers, exchange.body(), spool, settings.max_message_bytes)
        form = parsed(kind, fields)
        if not spool.size:
            raise InvalidArgumentError("the file is empty", field="audio")
        diarizer = settings.diarizer is not None
        catalogue = self._watcher.catalogue
        request = form.request(catalogue.resolve(form.model, settings.http_models))
        return form, checked(request, catalogue, diarizer=diarizer)

    def _events(self, http: HttpCall, recognition: Recognition, spool: Spool) -> AsyncGenerator[UploadEvent]:
        return self._recordings.transcribe(http.call, recognition, spool)


async def _whole(events: AsyncIterator[UploadEvent]) -> Transcript:
    async for event in events:
        if isinstance(event, Done):
            return event.transcript
    raise AssertionError("a recording ends with its transcript or an error")
