"""Bad input never makes INTERNAL or UNKNOWN, and never ends the gateway: 200 message bodies, 80 configs,
120 damaged files."""

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.audio import pcm16
from triscribe.v1 import speech_pb2 as pb
from triscribe.v1 import speech_pb2_grpc

ACCEPTABLE = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
METHODS = ("Recognize", "UploadRecognize", "StreamingRecognize", "ListModels")
pytestmark = pytest.mark.timeout(900)


def fuzz(examples: int) -> settings:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, deadline=None, suppress_health_check=checks)


numbers = st.floats(width=32) | st.sampled_from([0.0, 1.0, -1.0])
decoding = st.builds(
    pb.DecodingOptions,
    beam_size=st.none() | st.integers(-(2**31), 2**31 - 1),
    temperatures=st.lists(numbers, max_size=10),
    length_penalty=st.none() | numbers,
    repetition_penalty=st.none() | numbers,
    no_speech_threshold=st.none() | numbers,
)
features = st.builds(
    pb.RecognitionFeatures,
    enable_word_time_offsets=st.none() | st.booleans(),
    enable_voice_detection=st.none() | st.booleans(),
    diarization=st.none() | st.just(pb.SpeakerDiarizationConfig(num_speakers=0)),
)
explicit = st.builds(
    pb.ExplicitDecodingConfig,
    encoding=st.integers(-5, 9),
    sample_rate_hertz=st.sampled_from([0, 8000, 16000, 48000, 1, -1, 2**31 - 1]),
    audio_channel_count=st.sampled_from([0, 1, 2, 8, 9, -1]),
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
configs = st.builds(
    pb.RecognitionConfig,
    model=st.sampled_from(["", "base", "tiny.en"]) | text,
    language_code=st.sampled_from(["", "en", "auto"]) | text,
    task=st.integers(0, 9),
    features=features,
    initial_prompt=text,
    hotwords=st.lists(text, max_size=4),
    decoding_options=st.none() | decoding,
    explicit_decoding_config=st.none() | explicit,
)


@pytest.fixture(scope="module")
def channel(gateway):
    with grpc.insecure_channel(gateway.address) as channel:
        yield channel
    assert gateway.process.poll() is None


def code_of(call) -> grpc.StatusCode:
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        return grpc.StatusCode(error.code())
    return grpc.StatusCode(call.code())


@fuzz(200)
@given(method=st.sampled_from(METHODS), messages=st.lists(st.binary(max_size=64), max_size=3))
def test_bytes_that_are_no_messages(channel, method, messages):
    path = f"/triscribe.v1.SpeechService/{method}"
    if method in ("Recognize", "ListModels"):
        call = channel.unary_unary(path).future(messages[0] if messages else b"")
        assert call.code() in ACCEPTABLE
    else:
        assert code_of(channel.stream_stream(path)(iter(messages), timeout=60)) in ACCEPTABLE


@fuzz(80)
@given(config=configs)
def test_any_config(channel, conversation, config):
    audio = pcm16(conversation.part(7, 7.5))
    stub = speech_pb2_grpc.SpeechServiceStub(channel)
    assert stub.Recognize.future(pb.RecognizeRequest(config=config, audio=audio)).code() in ACCEPTABLE
    first = pb.StreamingRecognizeRequest(streaming_config=pb.StreamingRecognitionConfig(config=config))
    requests = iter([first, pb.StreamingRecognizeRequest(audio=audio)])
    assert code_of(stub.StreamingRecognize(requests, timeout=60)) in ACCEPTABLE


@fuzz(120)
@given(data=st.data())
def test_damaged_audio(channel, recording, data):
    whole = recording.read_bytes()[:40_000]
    cut = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, 200), max_size=12)):
        if place < len(cut):
            cut[place] = data.draw(st.integers(0, 255))
    stub = speech_pb2_grpc.SpeechServiceStub(channel)
    assert stub.Recognize.future(pb.RecognizeRequest(audio=bytes(cut))).code() in ACCEPTABLE
