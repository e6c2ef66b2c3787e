"""`stream=true`: server-sent events, each as soon as its segment is final."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator

from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent

from triscribe.gateway.http import bodies, transcripts
from triscribe.gateway.http.transcription_form import TranscriptionForm
from triscribe.service.recordings import Progress, Stage, UploadEvent
from triscribe.transcription.events import Done
from triscribe.types import Segment, Transcript

PING_S = 10.0
"""A comment is sent this often, so that proxies keep the connection open."""

_PATIENCE_S = 5.0
"""So long the answer waits for the file to be decoded: until then a refusal has a status of its own."""

_LINE = "\n"


def event_stream(
    first: Iterable[UploadEvent], events: AsyncIterator[UploadEvent], form: TranscriptionForm
) -> EventSourceResponse:
    """The answer, which begins with the events that have come already."""
    return EventSourceResponse(_Told(form).told(first, events), ping=PING_S, sep=_LINE, ping_message_factory=_ping)


async def begun(events: AsyncIterator[UploadEvent]) -> list[UploadEvent]:
    """The events until the file is decoded, or `_PATIENCE_S` are over.

    Raises:
        TriscribeError: the file was refused.
    """
    patient_until = time.monotonic() + _PATIENCE_S
    first = []
    async for event in events:
        first.append(event)
        is_decoded = not isinstance(event, Progress) or event.stage is Stage.TRANSCRIBING
        if is_decoded or time.monotonic() > patient_until:
            break
    return first


class _Told:
    """What one caller has been told."""

    def __init__(self, form: TranscriptionForm) -> None:
        self._form = form
        self._logprobs = "logprobs" in form.include
        self._held: list[Segment] = []
        self._last: list[Segment] = []

    async def told(
        self, first: Iterable[UploadEvent], events: AsyncIterator[UploadEvent]
    ) -> AsyncIterator[ServerSentEvent]:
        for event in first:
            for body in self._bodies(event):
                yield _event(body)
        async for event in events:
            for body in self._bodies(event):
                yield _event(body)
        yield ServerSentEvent("[DONE]", sep=_LINE)

    def _bodies(self, event: UploadEvent) -> Iterator[BaseModel]:
        match event:
            case Segment() if self._form.wants_speakers:
                self._held.append(event)  # all are final at the end, and the whole says who the speakers are
            case Segment():
                yield from self._deltas([event])
            case Done(transcript):
                yield from self._diarized(transcript)
                yield self._done(transcript)

    def _deltas(self, segments: list[Segment]) -> Iterator[BaseModel]:
        for segment, delta in transcripts.deltas(self._last, segments):
            scores = tuple(transcripts.segment_scores(segment, delta)) if self._logprobs else None
            yield bodies.TextDelta(delta=delta, logprobs=scores)
            self._last = [segment]

    def _diarized(self, transcript: Transcript) -> Iterator[BaseModel]:
        if not self._form.wants_speakers:
            return
        names = transcripts.speaker_names(transcript, self._form.known_speaker_names)
        if self._form.response_format != "diarized_json":
            yield from self._deltas(self._held)
            return
        for number, segment in enumerate(self._held):
            for told, delta in transcripts.deltas(self._last, [segment]):
                yield bodies.TextDelta(delta=delta, segment_id=transcripts.segment_id(number))
                self._last = [told]
            yield transcripts.diarized_segment(number, segment, names)

    def _done(self, transcript: Transcript) -> bodies.TextDone:
        return bodies.TextDone(
            text=transcript.text,
            usage=transcripts.usage(transcript),
            languages=transcripts.heard(transcript),
            logprobs=tuple(transcripts.scores(transcript.segments)) if self._logprobs else None,
        )


def _event(body: BaseModel) -> ServerSentEvent:
    return ServerSentEvent(body.model_dump_json(exclude_none=True), sep=_LINE)


def _ping() -> ServerSentEvent:
    return ServerSentEvent(comment="ping", sep=_LINE)
