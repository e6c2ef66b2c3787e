"""Every status code of the proto, each by a real cause, with the details that callers act on."""

import asyncio
import socket
import wave
from io import BytesIO
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.harness.audio import pcm16
from tests.harness.gateway import GatewayProcess, gateway_process
from tests.harness.processes import wait_for
from triscribe.client import AsyncClient, Connection, PcmFormat, RecognitionOptions
from triscribe.diarization.options import DiarizationOptions
from triscribe.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
)
from triscribe.types import Transcript
from triscribe.v1 import speech_pb2 as pb
from triscribe.v1 import speech_pb2_grpc

PCM = RecognitionOptions(pcm=PcmFormat())


def wav(seconds: float, rate: int = 8000) -> bytes:
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\0\0" * int(seconds * rate))
    return out.getvalue()


@pytest.mark.parametrize(
    ("audio", "options", "error", "field"),
    [
        (b"", RecognitionOptions(), InvalidArgumentError, "audio"),
        (b"no media at all", RecognitionOptions(), InvalidArgumentError, "audio"),
        (b"\0", PCM, InvalidArgumentError, "audio"),
        (b"\0\0", RecognitionOptions(language="xx-none"), InvalidArgumentError, "config.language_code"),
        (b"\0\0", RecognitionOptions(model="huge"), NotFoundError, None),
        (b"\0\0", RecognitionOptions(model="tiny.en", task="translate"), FailedPreconditionError, None),
        (b"\0\0", RecognitionOptions(model="tiny.en", language="de"), FailedPreconditionError, None),
        (b"\0\0", RecognitionOptions(diarization=DiarizationOptions()), FailedPreconditionError, None),
        (wav(41), RecognitionOptions(), ResourceExhaustedError, None),
        (b"\0" * 5 * 2**20, PCM, ResourceExhaustedError, None),
    ],
)
async def test_recognize_refuses(client, audio, options, error, field):
    with pytest.raises(error) as caught:
        await client.recognize(audio, options)
    assert caught.value.field == field
    assert caught.value.retry_after_s is None  # coming back later would not help


@pytest.mark.parametrize(
    ("audio", "options", "error"),
    [
        (b"", RecognitionOptions(), InvalidArgumentError),
        (b"no media at all" * 1000, RecognitionOptions(), InvalidArgumentError),
        (b"\0", PCM, InvalidArgumentError),
        (b"", RecognitionOptions(model="huge"), NotFoundError),
        (wav(3601), RecognitionOptions(), ResourceExhaustedError),
    ],
)
async def test_an_upload_is_refused_for_the_same_reasons(client, audio, options, error):
    with pytest.raises(error):
        await client.transcribe(audio, options)


async def test_a_value_that_only_the_model_can_judge(client, conversation):
    options = RecognitionOptions(pcm=PcmFormat(), decoding={"beam_size": 99})
    with pytest.raises(InvalidArgumentError, match="beam_size"):
        await client.recognize(pcm16(conversation.part(7, 10)), options)


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [pb.StreamingRecognizeRequest(audio=b"\0\0")],
        [pb.StreamingRecognizeRequest(streaming_config=pb.StreamingRecognitionConfig())],
        [
            pb.StreamingRecognizeRequest(
                streaming_config=pb.StreamingRecognitionConfig(
                    config=pb.RecognitionConfig(
                        explicit_decoding_config=pb.ExplicitDecodingConfig(encoding=pb.AUDIO_ENCODING_LINEAR16)
                    )
                )
            )
        ]
        * 2,
    ],
)
async def test_messages_out_of_order(gateway, requests):
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        call = speech_pb2_grpc.SpeechServiceStub(channel).StreamingRecognize(iter(requests))
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_malformed_message(gateway):
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        for method in ("Recognize", "UploadRecognize", "StreamingRecognize"):
            path = f"/triscribe.v1.SpeechService/{method}"
            call: Any
            raw: Any = channel
            if method == "Recognize":
                call = raw.unary_unary(path)(b"\xff\xff\xff")
            else:
                call = raw.stream_stream(path)(iter([b"\xff\xff\xff"]))
            assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT, method


async def test_details_name_the_field_and_the_request(gateway):
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        request = pb.RecognizeRequest(config=pb.RecognitionConfig(language_code="xx-none"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await speech_pb2_grpc.SpeechServiceStub(channel).Recognize(request, metadata=(("x-request-id", "r-1"),))
    assert ("x-request-id", "r-1") in tuple(caught.value.initial_metadata())
    status = await rpc_status.aio.from_call(_Answered(caught.value))
    kinds = {detail.type_url.rpartition(".")[2]: detail for detail in status.details}
    bad, info = error_details_pb2.BadRequest(), error_details_pb2.RequestInfo()
    assert kinds["BadRequest"].Unpack(bad)
    assert kinds["RequestInfo"].Unpack(info)
    assert bad.field_violations[0].field == "config.language_code"
    assert info.request_id == "r-1"


class _Answered:
    """An error as the call that `rpc_status` asks."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self._error = error

    async def trailing_metadata(self):
        return self._error.trailing_metadata()

    async def code(self):
        return self._error.code()

    async def details(self):
        return self._error.details()


async def test_a_deadline(client, recording):
    with pytest.raises(DeadlineExceededError):
        await client.transcribe(recording, timeout_s=0.4)


async def test_nothing_to_talk_to():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        process = GatewayProcess(f"127.0.0.1:{reserved.getsockname()[1]}")
        try:
            async with AsyncClient(process.address) as client:
                with pytest.raises(UnavailableError) as caught:
                    await client.recognize(b"\0\0", PCM)
                assert caught.value.retry_after_s
        finally:
            process.stop()


async def test_a_full_queue_says_when_to_come_back(small_triton, small_gateway, conversation):
    """24 calls at once bring four times what may wait: some are refused at once, none is lost."""
    data = pcm16(conversation.part(6.5, 30))
    quick = {"beam_size": 1, "temperatures": [0.0]}
    options = RecognitionOptions(pcm=PcmFormat(), voice_detection=False, word_timestamps=False, decoding=quick)
    async with AsyncClient(small_gateway.address) as client:
        upload = asyncio.create_task(client.transcribe(data, options))  # uploads wait until there is room
        calls = [client.recognize(data, options) for _ in range(24)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, ResourceExhaustedError)]
        answered = [outcome for outcome in outcomes if isinstance(outcome, Transcript)]
        assert len(refused) + len(answered) == len(outcomes)
        assert refused
        assert {"hello" in transcript.text.lower() for transcript in [*answered, await upload]} == {True}
    for error in refused:
        assert error.retry_after_s
        assert "queue is full" in str(error)


async def test_one_caller_cannot_take_every_place(small_triton):
    with gateway_process(small_triton.url, max_calls_per_caller=2, health_interval_s=600) as process:
        async with AsyncClient(process.address) as client:
            hold, opened = asyncio.Event(), 0

            async def wait():
                nonlocal opened
                opened += 1
                await hold.wait()
                yield b""

            async def open_stream():
                return [event async for event in client.stream(wait(), PCM)]

            streams = [asyncio.create_task(open_stream()) for _ in range(2)]
            assert await asyncio.to_thread(wait_for, lambda: opened == 2, 30)
            with pytest.raises(ResourceExhaustedError, match="your calls") as caught:
                await client.models()
            assert caught.value.retry_after_s
            hold.set()
            assert len(await asyncio.gather(*streams)) == 2
            assert (await client.models()).models


async def test_an_idle_stream_is_ended(small_triton):
    with gateway_process(small_triton.url, idle_s=1, health_interval_s=600) as process:
        async with AsyncClient(Connection(process.address)) as client:

            async def nothing():
                await asyncio.sleep(30)
                yield b""

            with pytest.raises(DeadlineExceededError):
                async for _ in client.stream(nothing(), PCM):
                    pass
