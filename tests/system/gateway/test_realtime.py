"""The Realtime door with the connection class of OpenAI's own package, unmodified, on real speech."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soxr
from openai import AsyncOpenAI
from openai.types.realtime import realtime_server_event
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.typing import Subprotocol

from tests.harness.audio import pcm16
from tests.harness.gateway import GatewayProcess, gateway_process
from tests.harness.ports import free_port
from tests.harness.processes import wait_for
from tests.system.gateway.conftest import PAGE
from triscribe.client import LiveEnd, PcmFormat, RecognitionOptions
from triscribe.client import LiveOptions as Live
from triscribe.media.declared import Encoding
from triscribe.media.declared import PcmFormat as DeclaredFormat
from triscribe.media.pcm import PcmStream
from triscribe.service.auth import make_token
from triscribe.types import SAMPLE_RATE, Samples

_EVENTS = {
    event.model_fields["type"].annotation.__args__[0]: event
    for event in realtime_server_event.RealtimeServerEvent.__args__[0].__args__  # type: ignore[attr-defined]
    if "type" in event.model_fields
}
SILENCE = np.zeros(SAMPLE_RATE, np.float32)


@pytest.fixture
def door(realtime_gateway: GatewayProcess) -> GatewayProcess:
    return realtime_gateway


def text_of(events: Sequence[Any], kind: str, field: str) -> dict[str, str]:
    """What the events of a kind say of each item, put together."""
    said: dict[str, str] = {}
    for event in events:
        if event.type == f"conversation.item.input_audio_transcription.{kind}":
            said[event.item_id] = said.get(event.item_id, "") + getattr(event, field)
    return said


class Caller:
    """A connection, and all that came over it, each checked against the type of its event."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.events: list[Any] = []

    async def update(self, *, include: list[str] | None = None, **inputs: Any) -> Any:
        """Change the session; returns what came of it."""
        session: Any = {"type": "transcription", "audio": {"input": inputs}}
        if include:
            session["include"] = include
        await self.connection.session.update(session=session)
        return await self.until("session.updated", "error")

    async def append(self, data: bytes, pieces: int = 1) -> None:
        """Send audio, a tenth of it or so at a time."""
        step = -(-len(data) // pieces // 4) * 4 or 4
        for start in range(0, len(data), step):
            audio = base64.b64encode(data[start : start + step]).decode()
            await self.connection.input_audio_buffer.append(audio=audio)

    async def until(self, *kinds: str, count: int = 1) -> Any:
        """Receive until so many events of these kinds have come; returns the last one."""
        async with asyncio.timeout(120):
            while count:
                raw = await self.connection.recv_bytes()
                event = self.connection.parse_event(raw)
                assert event.event_id.startswith("event_")
                _EVENTS[event.type].model_validate_json(raw.replace(b'"rate": 16000', b'"rate": 24000'))  # ours
                self.events.append(event)
                count -= event.type in kinds
        return self.events[-1]

    def of(self, kind: str) -> list[Any]:
        """Events of a kind."""
        return [event for event in self.events if event.type == kind]

    @property
    def transcript(self) -> str:
        """All items, one after the other; checks that the deltas say the same."""
        said = text_of(self.events, "completed", "transcript")
        assert text_of(self.events, "delta", "delta") == {item: text for item, text in said.items() if text}
        return " ".join(filter(None, said.values()))


COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"


@asynccontextmanager
async def calling(door: GatewayProcess, *, key: str = "none", **query: str) -> AsyncIterator[Caller]:
    client = AsyncOpenAI(
        api_key=key, base_url=f"http://{door.http_address}/v1", websocket_base_url=f"ws://{door.http_address}/v1"
    )
    async with client.realtime.connect(extra_query={"intent": "transcription"} | query) as connection:
        caller = Caller(connection)
        await caller.until("session.created")
        yield caller


def at_rate(samples: Samples, rate: int) -> Samples:
    resampled: Samples = soxr.resample(samples, SAMPLE_RATE, rate)
    return resampled


def coded(samples: Samples, law: Encoding) -> bytes:
    """ITU-T G.711: the code whose value is nearest."""
    values = PcmStream(DeclaredFormat(law)).push(bytes(range(256)))[0]
    order = np.argsort(values, kind="stable")
    at = np.clip(np.searchsorted(values[order], samples), 1, 255)
    is_left = np.abs(values[order][at - 1] - samples) < np.abs(values[order][at] - samples)
    return order[np.where(is_left, at - 1, at)].astype(np.uint8).tobytes()


async def by_grpc(
    client: Any, packets: list[bytes], options: RecognitionOptions
) -> tuple[str, list[tuple[str, float, float]]]:
    async def speak() -> AsyncIterator[bytes]:
        for packet in packets:
            yield packet

    events = [event async for event in client.stream(speak(), options, Live())]
    assert isinstance(events[-1], LiveEnd)
    transcript = events[-1].transcript
    return transcript.text, [(s.text.strip(), round(s.start, 3), round(s.end, 3)) for s in transcript.segments]


@pytest.mark.parametrize(
    ("kind", "by_voice"),
    [
        ("audio/pcm 24000", True),
        ("audio/pcm 24000", False),
        ("audio/pcm 16000", True),
        ("audio/pcmu", True),
        ("audio/pcma", False),
    ],
)
async def test_text_and_times_are_those_of_grpc(door, client, conversation, kind, by_voice):
    """Two utterances, by the caller's commit or by voice detection."""
    speech = np.concatenate([conversation.part(8.2, 9.8), SILENCE, SILENCE, conversation.part(13, 16), SILENCE])
    name, _, rate = kind.partition(" ")
    if rate:
        data, pcm = pcm16(at_rate(speech, int(rate))), PcmFormat("linear16", int(rate))
    else:
        law: Encoding = "mulaw" if name == "audio/pcmu" else "alaw"
        data, pcm = coded(at_rate(speech, 8000), law), PcmFormat(law, 8000)
    audio_format = {"type": name} | ({"rate": int(rate)} if rate else {})
    async with calling(door) as caller:
        updated = await caller.update(
            format=audio_format,
            transcription={"model": "whisper-1", "language": "en"},
            **({} if by_voice else {"turn_detection": None}),
        )
        assert updated.type == "session.updated"
        await caller.append(data, 10)
        await caller.connection.input_audio_buffer.commit()
        if by_voice:
            await caller.until("conversation.item.done", count=2)
            await caller.until(COMPLETED, count=2 - len(caller.of(COMPLETED)))
        else:
            await caller.until(COMPLETED)
    text, segments = await by_grpc(client, [data], RecognitionOptions(language="en", pcm=pcm))
    assert caller.transcript == text
    assert "New Jersey" in text
    heard = caller.of("conversation.item.input_audio_transcription.segment")
    assert [(s.text, round(s.start, 3), round(s.end, 3)) for s in heard] == segments


async def test_turns_of_voice_detection(door, conversation):
    """Everything that is told of two utterances, in its order, with times of the whole session."""
    speech = np.concatenate([SILENCE, conversation.part(8.2, 9.8), SILENCE, conversation.part(13, 16), SILENCE])
    async with calling(door) as caller:
        await caller.update(format={"type": "audio/pcm", "rate": 16000}, transcription={"language": "en"})
        await caller.append(pcm16(speech), 10)
        await caller.until(COMPLETED, count=2)
    first, second = caller.of("input_audio_buffer.committed")
    assert (first.previous_item_id, second.previous_item_id) == (None, first.item_id)
    for item in (first.item_id, second.item_id):
        kinds = [e.type for e in caller.events if getattr(e, "item_id", None) == item or _item(e) == item]
        told = [kind.rpartition(".")[2] for kind in kinds]
        assert told[0] == "speech_started"
        assert told[-1] == "completed"
        assert [kind for kind in told if kind in ("speech_stopped", "committed", "added", "done")] == [
            "speech_stopped", "committed", "added", "done",
        ]  # fmt: skip
    starts = [event.audio_start_ms for event in caller.of("input_audio_buffer.speech_started")]
    ends = [event.audio_end_ms for event in caller.of("input_audio_buffer.speech_stopped")]
    assert starts == [pytest.approx(1000, abs=400), pytest.approx(3600, abs=400)]
    assert ends == [pytest.approx(2600, abs=500), pytest.approx(6600, abs=500)]
    for done, start, end in zip(caller.of(COMPLETED), starts, ends, strict=True):
        assert done.usage.type == "duration"
        assert done.usage.seconds == pytest.approx((end - start) / 1000, abs=0.01)
        assert [language.code for language in done.languages] == ["en"]
        assert done.transcript


def _item(event: Any) -> str | None:
    return getattr(getattr(event, "item", None), "id", None)


async def test_deltas_come_while_somebody_speaks_where_that_is_asked_for(door, conversation):
    """At the pace of speech; they are the transcript in any case."""
    async with calling(door) as caller:
        await caller.update(
            format={"type": "audio/pcm", "rate": 16000},
            transcription={"language": "en", "delay": "minimal"},
            turn_detection=None,
        )

        async def speak() -> None:
            for start in np.arange(14.3, 29.3, 0.2):
                await caller.append(pcm16(conversation.part(start, start + 0.2)))
                await asyncio.sleep(0.2)
                if caller.of("conversation.item.input_audio_transcription.delta"):
                    break
            await caller.connection.input_audio_buffer.commit()

        async with asyncio.TaskGroup() as group:
            group.create_task(speak())
            group.create_task(caller.until(COMPLETED))
    kinds = [event.type.rpartition(".")[2] for event in caller.events]
    assert kinds.index("delta") < kinds.index("committed")
    assert caller.transcript


async def test_words_have_log_probabilities_where_they_are_asked_for(door, conversation):
    async with calling(door) as caller:
        include = ["item.input_audio_transcription.logprobs"]
        await caller.update(include=include, format={"type": "audio/pcm", "rate": 16000}, turn_detection=None)
        await caller.append(pcm16(conversation.part(13, 16)))
        await caller.connection.input_audio_buffer.commit()
        done = await caller.until(COMPLETED)
    assert "".join(token.token for token in done.logprobs) == done.transcript
    assert all(bytes(token.bytes).decode() == token.token and token.logprob <= 0 for token in done.logprobs)
    deltas = caller.of("conversation.item.input_audio_transcription.delta")
    assert [token.token for delta in deltas for token in delta.logprobs] == [token.token for token in done.logprobs]


async def test_detection_chooses_among_the_allowed_languages(door, client, conversation):
    """As gRPC does."""
    speech, allowed = pcm16(conversation.part(13, 16)), ["de", "en"]
    async with calling(door) as caller:
        await caller.update(
            format={"type": "audio/pcm", "rate": 16000}, transcription={"languages": allowed}, turn_detection=None
        )
        await caller.append(speech)
        await caller.connection.input_audio_buffer.commit()
        done = await caller.until(COMPLETED)
    assert [language.code for language in done.languages] == ["en"]
    text, _ = await by_grpc(client, [speech], RecognitionOptions(languages=allowed, pcm=PcmFormat("linear16")))
    assert caller.transcript == text
    assert "New Jersey" in text


async def test_what_is_cleared_is_never_an_item(door, conversation):
    async with calling(door) as caller:
        await caller.update(format={"type": "audio/pcm", "rate": 16000}, turn_detection=None)
        await caller.append(pcm16(conversation.part(8, 12)))
        await caller.connection.input_audio_buffer.clear()
        await caller.until("input_audio_buffer.cleared")
        await caller.connection.input_audio_buffer.clear()  # there is nothing any more
        await caller.until("input_audio_buffer.cleared")
        await caller.append(pcm16(conversation.part(13, 16)))
        await caller.connection.input_audio_buffer.commit()
        await caller.until(COMPLETED)
    (done,) = caller.of(COMPLETED)
    assert "New Jersey" in done.transcript
    assert done.usage.seconds == 3.0
    assert len(caller.of("conversation.item.added")) == 1
    segments = caller.of("conversation.item.input_audio_transcription.segment")
    assert all(4.0 <= segment.start <= segment.end <= 7.0 for segment in segments)


async def test_clearing_takes_the_open_turn_and_leaves_those_before(door, conversation):
    async with calling(door) as caller:
        await caller.update(format={"type": "audio/pcm", "rate": 16000}, transcription={"language": "en"})
        await caller.append(pcm16(np.concatenate([conversation.part(13, 16), SILENCE, conversation.part(8.2, 9.4)])))
        await caller.connection.input_audio_buffer.clear()
        await caller.until("input_audio_buffer.cleared")
        await caller.append(pcm16(np.concatenate([conversation.part(13, 16), SILENCE])))
        await caller.until(COMPLETED, count=2 - len(caller.of(COMPLETED)))
    assert len(caller.of("input_audio_buffer.speech_started")) == 3
    assert [("New Jersey" in done.transcript) for done in caller.of(COMPLETED)] == [True, True]
    assert len(caller.of("input_audio_buffer.committed")) == 2


async def test_long_silence_is_an_item_where_that_is_asked_for(door):
    async with calling(door) as caller:
        await caller.update(
            format={"type": "audio/pcmu"}, turn_detection={"type": "server_vad", "idle_timeout_ms": 1500}
        )
        await caller.append(b"\xff" * 8000 * 4, 8)
        await caller.until(COMPLETED, count=2)
    silent = caller.of("input_audio_buffer.timeout_triggered")
    assert [(event.audio_start_ms, event.audio_end_ms) for event in silent] == [
        (0, pytest.approx(1500, abs=300)),
        (silent[0].audio_end_ms, pytest.approx(2 * silent[0].audio_end_ms, abs=300)),
    ]
    assert [done.transcript for done in caller.of(COMPLETED)] == ["", ""]
    assert all(a.item_id == b.previous_item_id for a, b in pairwise(caller.of("input_audio_buffer.committed")))


async def test_settings_change_between_two_turns(door, conversation):
    """Another model, turns of the caller after turns of voice detection; the times go on."""
    async with calling(door, model="gpt-4o-transcribe") as caller:
        await caller.update(format={"type": "audio/pcm", "rate": 16000}, transcription={"language": "en"})
        await caller.append(pcm16(np.concatenate([conversation.part(13, 16), SILENCE])))
        await caller.until(COMPLETED)
        updated = await caller.update(transcription={"model": "tiny.en"}, turn_detection=None)
        assert updated.session.audio.input.transcription.model == "tiny.en"
        assert updated.session.audio.input.transcription.language == "en"
        await caller.append(pcm16(conversation.part(13, 16)))
        await caller.connection.input_audio_buffer.commit()
        await caller.until(COMPLETED)
    segments = caller.of("conversation.item.input_audio_transcription.segment")
    assert segments[-1].start > 4.0
    assert len(caller.of(COMPLETED)) == 2


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"audio": {"input": {"transcription": {"model": "huge"}}}}, "session.audio.input.transcription.model"),
        ({"audio": {"input": {"transcription": {"language": "qq"}}}}, "session.audio.input.transcription.language"),
        ({"audio": {"input": {"transcription": {"languages": ["qq"]}}}}, "session.audio.input.transcription.languages"),
        ({"audio": {"input": {"turn_detection": {"threshold": 0}}}}, "session.audio.input.turn_detection.threshold"),
        (
            {"audio": {"input": {"turn_detection": {"silence_duration_ms": 20}}}},
            "session.audio.input.turn_detection.silence_duration_ms",
        ),
        (
            {"audio": {"input": {"turn_detection": {"prefix_padding_ms": 9000}}}},
            "session.audio.input.turn_detection.prefix_padding_ms",
        ),
        (
            {"audio": {"input": {"turn_detection": {"idle_timeout_ms": 10}}}},
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        ({"audio": {"input": {"noise_reduction": {"type": "far_field"}}}}, "session.audio.input.noise_reduction"),
        ({"type": "realtime"}, "session.type"),
    ],
)  # fmt: skip
async def test_what_cannot_be_honoured_is_an_error_that_names_it(door, session, param):
    async with calling(door) as caller:
        await caller.connection.session.update(session={"type": "transcription"} | session, event_id="mine")
        error = (await caller.until("error")).error
        assert (error.param, error.event_id, error.type) == (param, "mine", "invalid_request_error")
        assert (await caller.update()).type == "session.updated"  # the next one works, and nothing was changed
        assert caller.events[-1].session == caller.events[0].session


async def test_bad_input_is_told_and_the_session_goes_on(door, conversation):
    async with calling(door) as caller:
        await caller.update(format={"type": "audio/pcm", "rate": 16000}, turn_detection=None)

        async def refused(raw: str | bytes) -> Any:
            await caller.connection.send_raw(raw)
            return (await caller.until("error")).error

        assert (await refused("no JSON")).message == "the message is not JSON"
        assert (await refused(b"\0\0")).type == "invalid_request_error"
        assert (await refused('{"type": "response.create", "event_id": "a"}')).event_id == "a"
        assert (await refused('{"type": "input_audio_buffer.append", "audio": "!"}')).param == "audio"
        assert (await refused('{"type": "input_audio_buffer.append", "audio": "AAAA"}')).param == "audio"  # 3 bytes
        assert (await refused('{"type": "input_audio_buffer.commit"}')).code == "input_audio_buffer_commit_empty"
        await caller.append(pcm16(conversation.part(13, 14)))
        other = await caller.update(format={"type": "audio/pcmu"})
        assert other.error.param == "session.audio.input.format"
        voice = await caller.update(turn_detection={"type": "server_vad"})
        assert voice.error.param == "session.audio.input.turn_detection"
        await caller.append(pcm16(conversation.part(14, 16)))
        await caller.connection.input_audio_buffer.commit()
        await caller.until(COMPLETED)
    assert "New Jersey" in caller.transcript


async def test_a_file_is_no_audio_and_costs_one_turn(door, conversation, recording):
    """A WAV file of another rate than was declared."""
    async with calling(door) as caller:
        await caller.update(turn_detection=None)
        await caller.append(recording.read_bytes()[:64_000])
        await caller.connection.input_audio_buffer.commit()
        failed = await caller.until(FAILED)
        assert "looks like" in failed.error.message
        await caller.append(pcm16(at_rate(conversation.part(13, 16), 24000)))
        await caller.connection.input_audio_buffer.commit()
        await caller.until(COMPLETED)
    assert "New Jersey" in caller.transcript


@pytest.mark.parametrize("by_voice", [True, False])
async def test_who_leaves_is_noticed_and_nothing_goes_on(door, conversation, by_voice):
    """With minutes of audio still to be worked on."""
    before = door.ended("Realtime", "CANCELLED")
    async with calling(door) as caller:
        await caller.update(
            format={"type": "audio/pcm", "rate": 16000}, **({} if by_voice else {"turn_detection": None})
        )
        await caller.append(pcm16(np.tile(conversation.samples, 8)), 8)
        await caller.connection.input_audio_buffer.commit()
        if by_voice:
            await caller.until("input_audio_buffer.speech_started")
        assert door.open_calls("Realtime") == 1
    assert await asyncio.to_thread(wait_for, lambda: door.open_calls("Realtime") == 0, 5)
    assert door.ended("Realtime", "CANCELLED") == before + 1


async def test_a_token_comes_in_the_header_or_as_a_browser_sends_it(server, tmp_path):
    token, line = make_token("page")
    (tmp_path / "tokens").write_text(line + "\n")
    with gateway_process(
        server.url, http_port=free_port(), http_origins=PAGE, tokens=tmp_path / "tokens", idle_s=3.0
    ) as door:
        async with calling(door, key=token) as caller:
            assert (await caller.until("error")).error.code == "timeout"  # it says nothing for idle_s
        url = f"ws://{door.http_address}/v1/realtime?intent=transcription"

        async def browser(key: str, origin: str) -> Any:
            offered = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{key}")]
            async with connect(url, subprotocols=offered, additional_headers={"Origin": origin}) as socket:
                assert '"session.created"' in str(await socket.recv())
                return socket.subprotocol

        assert await browser(token, PAGE) == "realtime"
        for key, origin, status in [(token, "https://elsewhere.example", 403), ("wrong", PAGE, 401)]:
            with pytest.raises(InvalidStatus) as caught:
                await browser(key, origin)
            assert caught.value.response.status_code == status
            assert "x-request-id" in caught.value.response.headers


async def test_a_session_has_the_length_of_a_stream(server, conversation):
    """Whatever it is cut into."""
    with gateway_process(server.url, http_port=free_port(), max_streaming_s=5) as door:
        async with calling(door) as caller:
            await caller.update(format={"type": "audio/pcm", "rate": 16000}, turn_detection=None)
            for _ in range(2):
                await caller.append(pcm16(conversation.part(13, 16)))
                await caller.connection.input_audio_buffer.commit()
            assert "longer than 5 s" in (await caller.until("error")).error.message
            with pytest.raises(ConnectionClosedError) as caught:
                await caller.until("never")
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1009
    assert len(caller.of(COMPLETED)) == 1


@pytest.mark.parametrize(("query", "status"), [({"model": "huge"}, 404), ({"intent": "chat"}, 400), ({"x": "1"}, 400)])
async def test_what_cannot_begin_is_refused_at_the_door(door, query, status):
    with pytest.raises(InvalidStatus) as caught:
        async with calling(door, **query):
            pass
    assert caught.value.response.status_code == status


async def test_what_was_sent_is_told_before_the_gateway_ends(server, conversation):
    with gateway_process(server.url, http_port=free_port()) as door:
        async with calling(door) as caller:
            await caller.update(format={"type": "audio/pcm", "rate": 16000}, turn_detection=None)
            await caller.append(pcm16(conversation.part(13, 16)))
            await caller.connection.input_audio_buffer.commit()
            await caller.until("input_audio_buffer.committed")
            door.terminate()
            await caller.until(COMPLETED)
            assert "New Jersey" in caller.transcript
            assert (await caller.until("error")).error.code == "unavailable"
            with pytest.raises(ConnectionClosedError) as caught:
                await caller.until("never")
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1012
        assert await asyncio.to_thread(door.process.wait, 20) == 0
        assert door.ended("Realtime", "UNAVAILABLE") == 1


async def test_who_does_not_read_is_not_read_from(door, conversation):
    """What waits for it is bounded by the sockets; the others are served."""
    sent = 0

    async def send(connection: Any) -> None:
        nonlocal sent
        while True:
            await connection.send_raw('{"type": "session.update", "session": {}}')
            sent += 1

    async with calling(door) as silent:
        await silent.update(transcription={"prompt": "Nobody reads this. " * 1000})  # told in every answer
        sending = asyncio.create_task(send(silent.connection))
        before = -1
        while sent > before:
            before = sent
            await asyncio.sleep(1)
        assert not sending.done()
        async with calling(door) as caller:
            await caller.update(format={"type": "audio/pcm", "rate": 16000}, turn_detection=None)
            await caller.append(pcm16(conversation.part(13, 16)))
            await caller.connection.input_audio_buffer.commit()
            await caller.until(COMPLETED)
        assert "New Jersey" in caller.transcript
        assert sent == before
        sending.cancel()
        silent.connection._connection.transport.abort()
    assert await asyncio.to_thread(wait_for, lambda: door.open_calls("Realtime") == 0, 5)
