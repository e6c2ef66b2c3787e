"""Many callers, slow ones, and those who leave: measured at Triton where it counts."""

import asyncio
import socket
import time

import grpc
import numpy as np
import psutil
import pytest
import tritonclient.grpc as grpcclient
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.harness.audio import pcm16
from tests.harness.gateway import GatewayProcess, gateway_process
from tests.harness.processes import wait_for
from triscribe.client import AsyncClient, LiveEnd, LiveResult, PcmFormat, RecognitionOptions
from triscribe.errors import DeadlineExceededError, ResourceExhaustedError, UnavailableError
from triscribe.v1 import speech_pb2 as pb
from triscribe.v1 import speech_pb2_grpc

PCM = RecognitionOptions(pcm=PcmFormat())
OPEN_STREAMS = 200
ONCE = RecognitionOptions(pcm=PcmFormat(), decoding={"temperatures": [0.0]})
"""One execution for each chunk."""
GROUP = 8
"""Chunks that one execution holds at most: those that were running when the caller left come to their end."""
REPEATS = 14
CHUNKS = 2 * REPEATS
"""What seven minutes of the conversation are cut into, at least."""


@pytest.fixture
def long_recording(conversation) -> bytes:
    return pcm16(np.tile(conversation.samples, REPEATS))


def executions(triton) -> int:
    with grpcclient.InferenceServerClient(triton.url) as client:
        statistics = client.get_inference_statistics("whisper-tiny.en").model_stats[0]
        return int(statistics.inference_stats.success.count)


def codes(gateway) -> list[str]:
    return [entry["code"] for entry in gateway.events("call")]


async def wait_for_work(triton, before: int) -> None:
    assert await asyncio.to_thread(wait_for, lambda: executions(triton) > before, 60)


async def started_after(triton, client, conversation) -> int:
    """Executions between 2 s after a caller left and the end of a later upload, without that upload's own.

    What is waiting runs in order, so anything left of the first call would run before the later one is through.
    """
    await asyncio.sleep(2.0)
    left = executions(triton)
    later = pcm16(conversation.samples)
    await client.transcribe(later, ONCE)
    through = executions(triton)
    await client.transcribe(later, ONCE)
    own = executions(triton) - through
    return through - left - own


async def test_a_cancelled_upload_starts_nothing_new(small_triton, small_gateway, conversation, long_recording):
    async with AsyncClient(small_gateway.address) as client:
        before = executions(small_triton)
        upload = asyncio.create_task(client.transcribe(long_recording, ONCE))
        await wait_for_work(small_triton, before)
        upload.cancel()
        assert await asyncio.to_thread(wait_for, lambda: codes(small_gateway)[-1:] == ["CANCELLED"], 2)
        assert await started_after(small_triton, client, conversation) <= GROUP
        assert executions(small_triton) - before < CHUNKS


async def test_a_deadline_stops_the_work_too(small_triton, small_gateway, conversation, long_recording):
    async with AsyncClient(small_gateway.address) as client:
        before, timeout_s = executions(small_triton), 3.0
        while executions(small_triton) == before:  # a deadline while the upload is decoded would show nothing
            assert timeout_s < 60
            with pytest.raises(DeadlineExceededError):
                await client.transcribe(long_recording, ONCE, timeout_s=timeout_s)
            timeout_s *= 1.5
        assert await asyncio.to_thread(wait_for, lambda: codes(small_gateway)[-1:] == ["DEADLINE_EXCEEDED"], 2)
        assert await started_after(small_triton, client, conversation) <= GROUP
        assert executions(small_triton) - before < CHUNKS


async def test_a_slow_writer_and_a_slow_reader_cost_no_memory(small_triton, conversation):
    """Hours of audio pushed at once through a live call whose answers nobody reads: flow control stops it."""
    with gateway_process(small_triton.url, health_interval_s=600) as process:
        rss = psutil.Process(process.process.pid).memory_info
        async with grpc.aio.insecure_channel(process.address) as channel:
            stub = speech_pb2_grpc.SpeechServiceStub(channel)
            config = pb.RecognitionConfig(
                explicit_decoding_config=pb.ExplicitDecodingConfig(encoding=pb.AUDIO_ENCODING_LINEAR16)
            )
            first = pb.StreamingRecognizeRequest(streaming_config=pb.StreamingRecognitionConfig(config=config))
            call = stub.StreamingRecognize()
            await call.write(first)
            piece = pcm16(conversation.samples)
            await call.write(pb.StreamingRecognizeRequest(audio=piece))
            await asyncio.sleep(5)
            start = rss().rss
            sent = 0

            async def flood():
                nonlocal sent
                for _ in range(600):
                    await call.write(pb.StreamingRecognizeRequest(audio=piece))
                    sent += 1

            flooding = asyncio.create_task(flood())
            await asyncio.sleep(8)  # what may not happen needs a time in which it does not
            flooding.cancel()
            assert sent < 600  # it was stopped
            assert rss().rss - start < 64 * 2**20
            call.cancel()


async def test_two_hundred_open_streams_of_which_some_speak(small_triton, conversation):
    """None is lost, and one over the limit is refused."""
    speaking = 8
    data = pcm16(conversation.part(6.5, 12.5))
    quiet = b"\0" * 3200
    with gateway_process(
        small_triton.url, health_interval_s=600, max_calls=OPEN_STREAMS, max_calls_per_caller=OPEN_STREAMS
    ) as process:
        async with AsyncClient(process.address) as client:
            opened, go = 0, asyncio.Event()

            async def audio(speaks: bool):
                nonlocal opened
                opened += 1
                yield quiet
                await go.wait()
                for start in range(0, len(data), 3200):
                    yield data[start : start + 3200] if speaks else quiet
                    await asyncio.sleep(0.1)

            async def stream(speaks: bool):
                events = [event async for event in client.stream(audio(speaks), PCM)]
                assert isinstance(events[-1], LiveEnd)
                return events[-1].transcript.text

            streams = [asyncio.create_task(stream(i < speaking)) for i in range(OPEN_STREAMS)]
            assert await asyncio.to_thread(wait_for, lambda: opened == OPEN_STREAMS, 60)
            await asyncio.sleep(2)
            with pytest.raises(ResourceExhaustedError, match="calls are open") as caught:
                await client.models()
            assert caught.value.retry_after_s
            go.set()
            texts = await asyncio.gather(*streams)
            assert all("hello" in text.lower() for text in texts[:speaking])
            assert not any(texts[speaking:])


@pytest.mark.parametrize("drain_s", [0.0, 60.0])
async def test_sigterm_during_twenty_calls(small_triton, conversation, drain_s):
    process = GatewayProcess(small_triton.url, health_interval_s=600, drain_s=drain_s)
    try:
        process.wait_until_serving()
        async with AsyncClient(process.address) as client:
            audio = pcm16(conversation.part(6.5, 12.5))  # uploads: those are not refused by a full queue
            calls = [asyncio.create_task(client.transcribe(audio, PCM)) for _ in range(20)]
            await asyncio.sleep(1.0)
            process.terminate()
            async with asyncio.timeout(90):
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
        finished = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert {type(outcome) for outcome in outcomes if outcome not in finished} <= {UnavailableError}
        assert all("hello" in transcript.text.lower() for transcript in finished)
        if drain_s:
            assert len(finished) == 20
        assert process.process.wait(15) == 0
    finally:
        process.stop()


async def test_live_results_survive_a_caller_that_reads_slowly(small_triton, small_gateway, conversation):
    async with AsyncClient(small_gateway.address) as client:

        async def speak():
            data = pcm16(conversation.part(6.5, 20))
            for start in range(0, len(data), 32_000):
                yield data[start : start + 32_000]

        texts = []
        async for event in client.stream(speak(), PCM):
            await asyncio.sleep(0.5)
            if isinstance(event, LiveResult) and event.is_final:
                texts += [segment.text for segment in event.segments]
        assert isinstance(event, LiveEnd)
        assert event.transcript.text == " ".join(texts)


async def test_health_follows_a_required_diarizer(small_triton):
    """A remote diarizer as far as its health goes: away at first, then there, then gone."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
    settings = {"diarizer": address, "diarizer_required": True, "health_interval_s": 1}
    process = GatewayProcess(small_triton.url, **settings)
    try:
        async with grpc.aio.insecure_channel(process.address) as channel, asyncio.timeout(90):
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            diarizer = grpc.aio.server()
            health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), diarizer)
            diarizer.add_insecure_port(address)
            await diarizer.start()
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
            await diarizer.stop(0)
            async with asyncio.timeout(10):
                assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    finally:
        process.stop()


async def test_health_follows_triton(small_triton):
    """Runs last: a killed worker is noticed within 10 s, and so is the recovery."""
    with gateway_process(small_triton.url, health_interval_s=2) as process:
        async with grpc.aio.insecure_channel(process.address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
            server = psutil.Process(small_triton.supervisor.process.pid)
            stub = next(child for child in server.children(recursive=True) if "whisper" in " ".join(child.cmdline()))
            killed = time.monotonic()
            stub.kill()
            async with asyncio.timeout(10):
                assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert time.monotonic() - killed < 10
            async with asyncio.timeout(120):
                assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
