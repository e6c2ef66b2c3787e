"""One connection: events of the caller in, audio to the live recogniser, events out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from triscribe.errors import (
    CancelledError,
    InternalError,
    InvalidArgumentError,
    ServerError,
    ShuttingDownError,
    TooLargeError,
    TriscribeError,
)
from triscribe.gateway.realtime.context import RealtimeContext
from triscribe.gateway.realtime.inbox import Inbox
from triscribe.gateway.realtime.items import Conversation
from triscribe.gateway.realtime.messages import (
    Append,
    Clear,
    ClientEvent,
    Commit,
    SessionConfig,
    SessionUpdate,
    client_event,
    event_id,
    parsed,
)
from triscribe.gateway.realtime.outlet import CallerLeftError, EmptyBufferError, Outlet, new_id
from triscribe.gateway.realtime.turns import ClearedError, Ending, Stretch, Turns, turns_of
from triscribe.service.calls import Call
from triscribe.service.refusals import as_server_error
from triscribe.service.requests import LiveRecognition, LiveRequest, RecognitionRequest, checked_live
from triscribe.tasks import first_error

logger = logging.getLogger(__name__)

_STRETCHES = 8
"""That wait for their turn; beyond it no more events are taken."""

_LEAST_COMMIT_S = 0.1
"""As at OpenAI."""

_LOOK_S = 0.05
"""How often a session looks whether its caller waits for something, once the gateway is to end."""

_LEFT_IN_ORDER = (1000, 1001, 1005)
"""Codes with which a caller closes, or a browser whose page goes away."""


def live_recognition(context: RealtimeContext, config: SessionConfig) -> LiveRecognition:
    """What a session asks for, checked.

    Raises:
        ServerError: it is not served.
    """
    wanted, voice = config.input.transcription, config.input.turn_detection
    recognition = RecognitionRequest(
        model=context.model(wanted.model),
        language=wanted.language or "",
        languages=tuple(wanted.languages or ()),
        initial_prompt=wanted.prompt or "",
        hotwords=tuple(wanted.keywords or ()),
        voice={"threshold": voice.threshold} if voice else {},
        pcm=config.input.format.pcm(),
    )
    interims = wanted.delay in ("minimal", "low")
    if voice is None:
        return checked_live(LiveRequest(recognition, interims), context.watcher.catalogue)
    request = LiveRequest(
        recognition,
        interims,
        events=True,
        end_s=voice.silence_duration_ms / 1000 if "silence_duration_ms" in voice.model_fields_set else None,
        prefix_s=voice.prefix_padding_ms / 1000,
        utterances=True,
        idle_s=None if voice.idle_timeout_ms is None else voice.idle_timeout_ms / 1000,
    )
    return checked_live(request, context.watcher.catalogue)


class Session:
    """The state of one connection.

    Args:
        context: the gateway.
        call: this call.
        outlet: to the caller.
        config: how it begins.
    """

    def __init__(self, context: RealtimeContext, call: Call, outlet: Outlet, config: SessionConfig) -> None:
        self._context = context
        self._call = call
        self._outlet = outlet
        self._config = config
        self._live = live_recognition(context, config)
        self._id = new_id("sess")
        self._conversation = Conversation(outlet)
        self._heard_s = 0.0
        self._open: Stretch | None = None
        self._stretches: asyncio.Queue[Stretch] = asyncio.Queue(_STRETCHES)
        self._turns: Turns | None = None
        self._leaving = False

    @property
    def working(self) -> bool:
        """Whether the caller may still expect something."""
        return not self._stretches.empty() or (self._turns is not None and self._turns.pending)

    async def run(self, inbox: Inbox) -> None:
        """Work until the caller leaves.

        Raises:
            CancelledError: of ours: it left while something was being done for it.
            ServerError: the session cannot go on.
        """
        try:
            await self._outlet.send("session.created", session=self._config.shown(self._id))
            async with first_error(), asyncio.TaskGroup() as group:
                group.create_task(inbox.fill())
                group.create_task(self._read(inbox))
                group.create_task(self._work())
                group.create_task(self._leave(inbox))
        except CallerLeftError as left:
            if self.working or not inbox.is_empty or left.code not in _LEFT_IN_ORDER:
                raise CancelledError("the caller went away") from left

    async def _leave(self, inbox: Inbox) -> None:
        """End before the gateway does, as soon as nothing is left to be told of what the caller has sent."""
        await self._context.draining.wait()
        while self.working or not inbox.is_empty or self._holds_buffer:  # noqa: ASYNC110 - many places change it
            await asyncio.sleep(_LOOK_S)
        self._leaving = True
        await self._close("changed")
        while self.working:  # noqa: ASYNC110 - the last of it may have been speech
            await asyncio.sleep(_LOOK_S)
        raise ShuttingDownError("the gateway is shutting down")

    @property
    def _holds_buffer(self) -> bool:
        """Whether there is audio that the caller has not committed."""
        return self._open is not None and self._open.config.input.turn_detection is None

    async def _read(self, inbox: Inbox) -> None:
        while True:
            text = await inbox.get()
            if self._leaving:
                return
            cause = None
            try:
                if not isinstance(text, str):
                    raise InvalidArgumentError("events are text: audio comes as base64 in input_audio_buffer.append")
                message = parsed(text)
                cause = event_id(message)
                await self._handle(client_event(message))
            except ServerError as error:
                await self._outlet.error(error, cause)

    async def _handle(self, event: ClientEvent) -> None:
        match event:
            case SessionUpdate():
                await self._update(event)
            case Append():
                await self._append(event)
            case Commit():
                await self._commit()
            case Clear():
                await self._clear()

    async def _update(self, event: SessionUpdate) -> None:
        config = self._config.updated(event.session)
        live = live_recognition(self._context, config)
        if self._heard_s and config.input.format != self._config.input.format:
            raise InvalidArgumentError(
                "the format cannot change once audio has come in", field="session.audio.input.format"
            )
        if self._holds_buffer and config.input.turn_detection is not None:
            raise InvalidArgumentError(
                "the buffer holds audio: commit or clear it before turns are detected",
                field="session.audio.input.turn_detection",
            )
        if config != self._config and not self._holds_buffer:
            await self._close("changed")
        self._config, self._live = config, live
        await self._outlet.send("session.updated", session=config.shown(self._id))

    async def _append(self, event: Append) -> None:
        audio = event.decoded(self._live.pcm)
        if not audio:
            return
        if self._open is None:
            self._open = Stretch(self._config, self._live, self._heard_s)
            await self._stretches.put(self._open)
        start_s = self._open.start_s
        await self._open.add(audio)
        self._heard_s = start_s + self._open.length_s

    async def _commit(self) -> None:
        length_s = self._open.length_s if self._open else 0.0
        if length_s < _LEAST_COMMIT_S:
            raise EmptyBufferError(
                f"the buffer holds {length_s * 1000:.2f} ms of audio, of at least {_LEAST_COMMIT_S * 1000:g}"
            )
        await self._close("committed")

    async def _clear(self) -> None:
        if self._open is None:
            await self._outlet.send("input_audio_buffer.cleared")
        else:
            await self._close("cleared")

    async def _close(self, ending: Ending) -> None:
        if self._open is not None:
            closing, self._open = self._open, None
            await closing.close(ending)

    async def _work(self) -> None:
        """One stretch after the other."""
        while True:
            stretch = await self._stretches.get()
            while not stretch.exhausted:  # what follows a failure is gone on with
                self._turns = turns_of(stretch, self._conversation)
                await self._transcribe(stretch, self._turns)
            self._turns = None
            if stretch.ending == "cleared":
                await self._outlet.send("input_audio_buffer.cleared")

    async def _transcribe(self, stretch: Stretch, turns: Turns) -> None:
        async def packets() -> AsyncIterator[bytes]:
            async for packet in stretch.packets():
                yield packet
            await turns.audio_ended()

        try:
            async with aclosing(self._context.streams.recognize(self._call, stretch.live, packets())) as events:
                async for event in events:
                    await turns.take(event)
                    if turns.finished:
                        break
        except ClearedError:
            pass
        except TooLargeError:
            raise
        except TriscribeError as error:
            if not await turns.fail(self._told(error)):
                raise

    def _told(self, error: TriscribeError) -> ServerError:
        """What the caller hears of it; the reason of a fault of ours stays in the log."""
        told, request = as_server_error(error), self._call.request_id
        if told is not None and not isinstance(told, InternalError):
            return told
        logger.error("item_failed", exc_info=error, extra={"request_id": request})
        return InternalError(f"this could not be transcribed; the log of request {request} has the reason")
