"""The diarizer's gRPC side, in this process, with an engine that needs no PyTorch."""

import asyncio
import threading
from contextlib import asynccontextmanager

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from triscribe.diarization.client import Diarizer, DiarizerSettings
from triscribe.diarization.options import DiarizationOptions
from triscribe.diarizer import jobs, service
from triscribe.diarizer.jobs import Stage
from triscribe.diarizer.server import start_health, start_server
from triscribe.diarizer.settings import ServerSettings
from triscribe.diarizer.turns import Found
from triscribe.errors import DiarizationError, ModelError
from triscribe.types import SpeakerTurn
from triscribe.v1 import diarization_pb2 as pb
from triscribe.v1 import diarization_pb2_grpc as pb_grpc

SECOND = np.zeros(16_000, np.float32)
CONFIG = pb.DiarizeRequest(config=pb.DiarizationConfig())


class FakeEngine:
    """Answers from the request, so that what went over the wire can be seen; `released` holds it up."""

    def __init__(self, fault=None):
        self.fault, self.requests, self.stopped = fault, [], threading.Event()
        self.released = threading.Event()
        self.released.set()

    def find(self, samples, request, report):
        self.requests.append((samples.copy(), request))
        try:
            while not self.released.wait(0.01):
                report(Stage.EMBEDDING, 0.5)
        except jobs.JobCancelledError:
            self.stopped.set()
            raise
        if self.fault:
            raise self.fault
        return Found(turns=((0.0, 0.5, "x"),), exclusive=((0.0, 0.5, "x"),), embeddings={"x": np.ones(3, np.float32)})


@asynccontextmanager
async def serving(engine, tmp_path, **settings):
    server, address = await start_server(ServerSettings(f"unix:{tmp_path}/s", **settings), lambda: engine)
    try:
        yield address
    finally:
        await server.stop(None)


async def send(address, *requests, token=None):
    async with grpc.aio.insecure_channel(address) as channel:
        metadata = [("authorization", f"Bearer {token}")] if token else []
        call = pb_grpc.DiarizationServiceStub(channel).Diarize(iter(requests), metadata=metadata)
        return [response async for response in call]


async def refusal(address, *requests, **kwargs):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await send(address, *requests, **kwargs)
    return error.value.code(), error.value.details()


async def test_audio_and_options_arrive_and_turns_come_back(tmp_path):
    engine = FakeEngine()
    samples = np.random.default_rng(0).uniform(-1, 1, 700_000).astype(np.float32)  # three messages
    async with serving(engine, tmp_path) as address:
        result = await Diarizer(DiarizerSettings(address=address)).diarize(
            samples, DiarizationOptions(min_speakers=2, max_speakers=3, embeddings=True)
        )
    ((received, request),) = engine.requests
    np.testing.assert_array_equal(received, samples)
    assert request == jobs.Request("default", None, 2, 3, embeddings=True)
    assert result.turns == (SpeakerTurn(0.0, 0.5, "SPEAKER_00"),)
    assert result.embeddings == {"SPEAKER_00": (1.0, 1.0, 1.0)}


async def test_embeddings_only_when_asked_for(tmp_path):
    async with serving(FakeEngine(), tmp_path) as address:
        result = await Diarizer(DiarizerSettings(address=address)).diarize(SECOND)
    assert (result.speakers, result.embeddings) == (("SPEAKER_00",), {})


async def test_no_audio_is_no_speech(tmp_path):
    engine = FakeEngine()
    async with serving(engine, tmp_path) as address:
        result = await Diarizer(DiarizerSettings(address=address)).diarize(SECOND[:0])
    assert (result.turns, engine.requests) == ((), [])


AUDIO = pb.DiarizeRequest(audio=bytes(8))


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [AUDIO],
        [CONFIG, CONFIG],
        [CONFIG, pb.DiarizeRequest(audio=bytes(6))],
        [CONFIG, pb.DiarizeRequest(audio=np.array([np.nan], "<f4").tobytes())],
        [CONFIG, pb.DiarizeRequest(audio=bytes(4 * 16_001))],
        [pb.DiarizeRequest(config=pb.DiarizationConfig(num_speakers=0)), AUDIO],
        [pb.DiarizeRequest(config=pb.DiarizationConfig(num_speakers=2, max_speakers=2)), AUDIO],
        [pb.DiarizeRequest(config=pb.DiarizationConfig(min_speakers=3, max_speakers=2)), AUDIO],
    ],
)
async def test_wrong_requests(tmp_path, requests):
    engine = FakeEngine()
    async with serving(engine, tmp_path, max_duration_s=1.0) as address:
        code, _ = await refusal(address, *requests)
    assert (code, engine.requests) == (grpc.StatusCode.INVALID_ARGUMENT, [])


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (DiarizationError("no such pipeline"), grpc.StatusCode.FAILED_PRECONDITION),
        (ModelError("not cached"), grpc.StatusCode.FAILED_PRECONDITION),
        (MemoryError(), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (ValueError("/secret/path"), grpc.StatusCode.INTERNAL),
    ],
)
async def test_faults_have_a_code_and_keep_internals_to_themselves(tmp_path, fault, code):
    async with serving(FakeEngine(fault), tmp_path) as address:
        found, details = await refusal(address, CONFIG, AUDIO)
    assert found == code
    assert "/secret" not in details


async def test_a_refused_job_is_not_tried_again(tmp_path):
    engine = FakeEngine(ModelError("not cached"))
    async with serving(engine, tmp_path) as address:
        with pytest.raises(DiarizationError, match="not cached"):
            await Diarizer(DiarizerSettings(address=address)).diarize(SECOND)
    assert len(engine.requests) == 1


async def test_token(tmp_path):
    async with serving(FakeEngine(), tmp_path, token="right") as address:
        assert (await refusal(address, CONFIG))[0] == grpc.StatusCode.UNAUTHENTICATED
        assert (await refusal(address, CONFIG, token="wrong"))[0] == grpc.StatusCode.UNAUTHENTICATED
        assert (await send(address, CONFIG, AUDIO, token="right"))[-1].HasField("result")


async def test_heartbeats_while_waiting_and_working(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "HEARTBEAT_S", 0.02)
    engine = FakeEngine()
    engine.released.clear()
    async with serving(engine, tmp_path) as address, grpc.aio.insecure_channel(address) as channel:
        stub = pb_grpc.DiarizationServiceStub(channel)
        working = stub.Diarize(iter([CONFIG, AUDIO]))
        await asyncio.to_thread(_until, lambda: engine.requests)
        waiting = stub.Diarize(iter([CONFIG, AUDIO]))
        heard = [await working.read() for _ in range(5)]
        queued = [await waiting.read() for _ in range(5)]
        engine.released.set()
    assert {response.progress.stage for response in queued} == {pb.DIARIZATION_STAGE_QUEUED}
    fractions = [response.progress.fraction for response in heard]
    assert fractions == sorted(fractions)


async def test_cancelling_stops_the_work(tmp_path):
    engine = FakeEngine()
    engine.released.clear()
    async with serving(engine, tmp_path) as address:
        job = asyncio.create_task(Diarizer(DiarizerSettings(address=address)).diarize(SECOND))
        await asyncio.to_thread(_until, lambda: engine.requests)
        job.cancel()
        assert await asyncio.to_thread(engine.stopped.wait, 5)


async def waiting_jobs(channel, count):
    """Calls that the diarizer has taken and does not end before the engine is released."""
    stub = pb_grpc.DiarizationServiceStub(channel)
    calls = [stub.Diarize(iter([CONFIG, AUDIO])) for _ in range(count)]
    assert all([(await call.read()).HasField("progress") for call in calls])
    return calls


async def all_succeed(calls):
    for call in calls:
        while (response := await call.read()) is not grpc.aio.EOF:
            last = response
        assert last.HasField("result")


async def test_too_many_jobs(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "HEARTBEAT_S", 0.02)
    engine = FakeEngine()
    engine.released.clear()
    async with serving(engine, tmp_path) as address, grpc.aio.insecure_channel(address) as channel:
        waiting = await waiting_jobs(channel, jobs.MAX_JOBS)
        assert (await refusal(address, CONFIG, AUDIO))[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
        engine.released.set()
        await all_succeed(waiting)
        assert (await send(address, CONFIG, AUDIO))[-1].HasField("result")


async def test_silence_of_the_server_is_death(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "HEARTBEAT_S", 60.0)
    engine = FakeEngine()
    engine.released.clear()
    async with serving(engine, tmp_path) as address:
        patient = Diarizer(DiarizerSettings(address=address, heartbeat_s=0.2))
        with pytest.raises(DiarizationError, match=r"was lost 2 times: silent for 0\.2 s"):
            await patient.diarize(SECOND)
        engine.released.set()


async def test_no_progress_is_death(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "HEARTBEAT_S", 0.05)
    engine = FakeEngine()
    engine.released.clear()
    async with serving(engine, tmp_path) as address:
        patient = Diarizer(DiarizerSettings(address=address, stall_s=0.3))
        with pytest.raises(DiarizationError, match="no progress"):
            await patient.diarize(SECOND)
        engine.released.set()


@pytest.mark.parametrize("address", ["unix:{folder}/nobody", "127.0.0.1:1", "nowhere.invalid:1"])
async def test_nobody_listens(tmp_path, address):
    address = address.format(folder=tmp_path)
    with pytest.raises(DiarizationError, match="was lost 2 times") as caught:
        await Diarizer(DiarizerSettings(address=address)).diarize(SECOND)
    assert f"The diarizer at {address} " in str(caught.value)
    assert "\n" not in str(caught.value)


def _until(condition):
    deadline = threading.Event()
    for _ in range(500):
        if condition():
            return
        deadline.wait(0.01)
    raise AssertionError("not within 5 s")


async def test_the_port_for_probes_answers_a_busy_process_and_nothing_else(tmp_path):
    engine = FakeEngine()
    engine.released.clear()
    probed = await start_health(f"unix:{tmp_path}/health")
    try:
        async with (
            serving(engine, tmp_path, token="secret") as address,
            grpc.aio.insecure_channel(f"unix:{tmp_path}/health") as channel,
        ):
            job = asyncio.create_task(send(address, CONFIG, AUDIO, token="secret"))
            while not engine.requests:  # noqa: ASYNC110 - set on another thread
                await asyncio.sleep(0.01)
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            engine.released.set()
            await job
        assert (await refusal(f"unix:{tmp_path}/health", CONFIG))[0] is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await probed.stop(None)


async def test_a_refusal_reaches_a_caller_who_still_sends(tmp_path):
    """gRPC's client once made an internal error of every seventh: the refusal met the second message."""
    engine = FakeEngine()
    engine.released.clear()
    async with serving(engine, tmp_path) as address, grpc.aio.insecure_channel(address) as channel:
        waiting = await waiting_jobs(channel, jobs.MAX_JOBS)
        refused = {await refusal(address, CONFIG, AUDIO) for _ in range(100)}
        engine.released.set()
        await all_succeed(waiting)
    assert refused == {(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many jobs are waiting")}


async def test_recordings_that_wait_share_the_memory(tmp_path, monkeypatch):
    """Eight jobs of twelve hours were 22 GB; now all of them together have a bound, and give it back."""
    monkeypatch.setattr(jobs, "MAX_HELD_BYTES", 5 * len(AUDIO.audio) // 2)
    monkeypatch.setattr(service, "HEARTBEAT_S", 0.02)
    engine = FakeEngine()
    engine.released.clear()
    async with serving(engine, tmp_path) as address, grpc.aio.insecure_channel(address) as channel:
        waiting = await waiting_jobs(channel, 2)
        await asyncio.to_thread(_until, lambda: engine.requests)
        code, why = await refusal(address, CONFIG, AUDIO)
        assert (code, "memory" in why) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
        engine.released.set()
        await all_succeed(waiting)
        for _ in range(4):
            assert (await send(address, CONFIG, AUDIO))[-1].HasField("result")
