"""Uploads as any door takes them, with a stand-in for Triton: room, turns, progress, outstanding audio."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from tests.harness.audio import wav
from tests.harness.media import wav_of
from tests.harness.processes import wait_for
from triscribe.errors import AudioError, InvalidArgumentError, ResourceExhaustedError, TooLargeError
from triscribe.media import decoding
from triscribe.media.declared import PcmFormat
from triscribe.service import recordings as module
from triscribe.service.calls import Call
from triscribe.service.clips import known_speakers
from triscribe.service.recordings import Progress, Recordings, Stage
from triscribe.service.refusals import as_server_error
from triscribe.service.requests import Recognition
from triscribe.service.sessions import Sessions
from triscribe.service.settings import GatewaySettings
from triscribe.service.spool import Spools
from triscribe.transcription.events import Done
from triscribe.transcription.options import TranscribeOptions
from triscribe.types import SAMPLE_RATE, ChunkResult, Segment


class Triton:
    """Answers every chunk with one word once `release` is set."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.release.set()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        pass

    async def transcribe(self, chunk, options, *, timeout_s):
        await self.release.wait()
        segment = Segment(0.0, 1.0, f"chunk{chunk.index}", "en", -0.1, 0.0, 1.0, 0.0)
        return ChunkResult(chunk.index, "base", "en", 1.0, (segment,))


@pytest.fixture
def triton():
    return Triton()


@pytest.fixture
def make(triton):
    made = []

    def make(**settings):
        recordings = Recordings(GatewaySettings(**settings), None, Sessions(triton, triton, lambda: triton))
        made.append(recordings)
        return recordings

    yield make
    for recordings in made:
        recordings.close()


WHOLE = Recognition("base", TranscribeOptions(model="base", language="en", voice_detection=None), None, None)
NOISE = np.random.default_rng(0).normal(0, 0.1, 40 * SAMPLE_RATE).astype(np.float32)


async def pieces(data, size=100_000):
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def events_of(recordings, data, recognition=WHOLE, call=None):
    async with aclosing(recordings.upload(call or Call("UploadRecognize", "id"), recognition, pieces(data))) as events:
        return [event async for event in events]


async def test_segments_come_in_order_and_the_whole_comes_last(make):
    events = await events_of(make(), wav(NOISE))
    texts = [event.text for event in events if isinstance(event, Segment)]
    assert texts == [f"chunk{n}" for n in range(len(texts))]
    assert len(texts) >= 2
    assert isinstance(events[-1], Done)
    assert [segment.text for segment in events[-1].transcript.segments] == texts


async def test_life_is_shown_while_nothing_happens(make, triton, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.02)
    triton.release.clear()
    call, recordings, seen = Call("UploadRecognize", "id"), make(), []
    async with aclosing(recordings.upload(call, WHOLE, pieces(wav(NOISE)))) as events:
        async for event in events:
            if isinstance(event, Progress):
                seen.append(event)
                if len(seen) > 5 and event.stage is Stage.TRANSCRIBING and not triton.release.is_set():
                    assert call.outstanding_s == {"text": pytest.approx(40.0)}
                    triton.release.set()
    assert [event.fraction for event in seen] == sorted(event.fraction for event in seen)
    assert [event.received_bytes for event in seen] == sorted(event.received_bytes for event in seen)
    assert call.outstanding_s == {"text": pytest.approx(0.0)}
    assert call.audio_out_s == pytest.approx(40.0)


async def test_all_uploads_together_have_a_bound(make, triton):
    """The room of one that has ended is there for the next; one that was refused is not counted."""
    data = wav(NOISE)
    recordings = make(max_spool_bytes=len(data) + 1000)
    triton.release.clear()
    first = asyncio.create_task(events_of(recordings, data))
    assert await asyncio.to_thread(wait_for, lambda: recordings._spools._bytes >= len(data), 20)
    for _ in range(2):
        with pytest.raises(ResourceExhaustedError, match="room") as caught:
            await events_of(recordings, data)
        assert caught.value.retry_after_s
    triton.release.set()
    await first
    assert recordings._spools._bytes == 0
    await events_of(recordings, data)


async def test_a_file_that_is_too_large_is_refused_for_good(make):
    with pytest.raises(TooLargeError):
        await events_of(make(max_upload_bytes=1000), wav(NOISE))


async def test_audio_that_is_too_long_is_refused_for_good(make):
    with pytest.raises(Exception, match="longer") as caught:
        await events_of(make(max_upload_s=10), wav(NOISE))
    assert isinstance(as_server_error(caught.value), TooLargeError)


PCM = Recognition("base", WHOLE.options, PcmFormat("linear16"), None)
PCM_NOISE = (NOISE[: 5 * SAMPLE_RATE] * 32767).astype("<i2").tobytes()


async def test_a_surplus_byte_costs_a_warning_and_no_text(make):
    for transcript in (
        (await events_of(make(), PCM_NOISE + b"\1", PCM))[-1].transcript,
        await make().recognize(Call("Recognize", "id"), PCM, PCM_NOISE + b"\1"),
    ):
        assert transcript.text == "chunk0"
        assert [notice.code for notice in transcript.warnings] == ["incomplete_sample"]


@pytest.mark.parametrize(
    "start", [b"fLaC" + bytes(100), b"OggS" + bytes(100), wav_of(PcmFormat("linear16", 8000), bytes(200))]
)
async def test_a_file_that_is_declared_as_samples_is_refused_with_its_name(make, start):
    with pytest.raises(AudioError, match=r"looks like (FLAC|Ogg|a WAV file of LINEAR16 at 8000 Hz)"):
        await make().recognize(Call("Recognize", "id"), PCM, start + PCM_NOISE)

    async def endless():
        yield start
        raise AssertionError("it should be refused before more is read")

    async def drain(upload):
        async with aclosing(upload) as events:
            return [event async for event in events]

    with pytest.raises(AudioError, match="looks like"):
        await drain(make().upload(Call("UploadRecognize", "id"), PCM, endless()))


async def test_a_wav_header_that_agrees_is_no_audio(make):
    data = wav(NOISE[: 5 * SAMPLE_RATE])
    transcript = (await events_of(make(), data, PCM))[-1].transcript
    assert transcript.audio.duration == 5.0


async def test_the_last_progress_is_one(make):
    events = await events_of(make(), wav(NOISE[:SAMPLE_RATE]))
    assert [event.fraction for event in events if isinstance(event, Progress)][-1] == 1.0
    assert isinstance(events[-2], Progress)


async def test_headerless_audio_gets_its_length_from_what_came(make):
    events = await events_of(make(), PCM_NOISE, PCM)
    assert events[-1].transcript.audio.duration == pytest.approx(5.0)


async def test_a_full_disk_is_no_fault_of_the_caller(make, monkeypatch):
    recordings = make()
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda **_: Path("/dev/full").open("wb"))  # noqa: SIM115
    with pytest.raises(OSError, match="No space") as caught:
        await events_of(recordings, wav(NOISE))
    refusal = as_server_error(caught.value)
    assert refusal is not None
    assert (refusal.code, refusal.field) == ("UNAVAILABLE", None)
    assert refusal.retry_after_s
    assert recordings._spools._bytes == 0


async def test_uploads_being_decoded_leave_threads_for_short_recordings(make, monkeypatch):
    """Four uploads hold every thread of their own decoder; a short recording is decoded at once all the same."""
    recordings = make(uploads_at_once=4)
    recordings._quick_decoder.decode_now(wav(NOISE[:SAMPLE_RATE]))
    release = asyncio.Event()
    loop, held = asyncio.get_running_loop(), []

    def hold():
        held.append(1)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(20)

    for _ in range(4):
        recordings._upload_decoder._threads.submit(hold)
    assert await asyncio.to_thread(wait_for, lambda: len(held) == 4, 20)
    waiting = asyncio.create_task(events_of(recordings, wav(NOISE[:SAMPLE_RATE])))
    started = time.monotonic()
    transcript = await recordings.recognize(Call("Recognize", "id"), WHOLE, wav(NOISE[:SAMPLE_RATE]))
    assert transcript.text
    assert time.monotonic() - started < 10
    assert not waiting.done()
    release.set()
    await waiting


async def arrived(recordings, data, recognition=WHOLE):
    async with recordings.spool() as spool:
        await spool.write(data)
        events = recordings.transcribe(Call("CreateTranscription", "id"), recognition, spool)
        async with aclosing(events) as events:
            return [event async for event in events]


async def test_of_files_that_have_arrived_short_ones_pass_those_that_wait_for_their_turn(make, triton):
    recordings = make(uploads_at_once=1, max_recognize_s=30)
    async with recordings._turns:
        long = asyncio.create_task(arrived(recordings, wav(NOISE)))
        short = await arrived(recordings, wav(NOISE[:SAMPLE_RATE]))
        assert short[-1].transcript.text == "chunk0"
        assert not long.done()
    assert (await long)[-1].transcript.audio.duration == 40.0
    assert recordings._spools._bytes == 0


async def test_a_refusal_of_the_server_reaches_short_recordings_at_once_and_holds_back_the_next(make, triton):
    async def refuse(chunk, options, *, timeout_s):
        raise ResourceExhaustedError("full", retry_after_s=30.0)

    triton.transcribe = refuse
    recordings = make()
    for says in ("full", "the server's queue is full"):
        with pytest.raises(ResourceExhaustedError, match=says):
            await arrived(recordings, wav(NOISE[:SAMPLE_RATE]))


@pytest.mark.parametrize(
    ("clip", "says"), [(b"no audio", "reference of 'Ada'"), (wav(NOISE), "longer"), (wav(NOISE[:SAMPLE_RATE]), "1.0 s")]
)
async def test_clips_of_speakers_that_cannot_be_used_name_the_speaker(make, clip, says):
    with pytest.raises(InvalidArgumentError, match=says) as caught:
        await known_speakers({"Ada": clip}, make()._quick_decoder)
    assert caught.value.field == "known_speakers"


async def test_clips_of_speakers_become_samples(make):
    (ada,) = await known_speakers({"Ada": wav(NOISE[: 3 * SAMPLE_RATE])}, make()._quick_decoder)
    assert (ada.name, len(ada.samples)) == ("Ada", 3 * SAMPLE_RATE)


@pytest.mark.parametrize("length_s", [0.5, 61.0])
def test_the_header_tells_the_length(length_s):
    data = wav(np.zeros(round(length_s * SAMPLE_RATE), np.float32))
    assert decoding.declared_length_s(data) == pytest.approx(length_s, abs=0.01)


async def test_a_file_that_does_not_tell_is_guessed_from_its_size():
    assert decoding.declared_length_s(b"no media" * 100) == 0.0
    spools = Spools(10_000, 10_000)
    async with spools.open() as spool:
        await spool.write(b"no media" * 1000)
        await spool.finish()
        assert module._length_s(spool, None) == 8000 / module._GUESSED_BYTES_PER_S
        assert module._length_s(spool, PcmFormat("linear16")) == 8000 / 32_000
    spools.close()
    assert not spool.path.exists()
