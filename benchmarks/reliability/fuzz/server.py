"""Triton's three models, the gateway and the diarizer under fire, as processes of their own."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import grpc
import numpy as np
import tritonclient.grpc as grpcclient
from numpy.typing import NDArray
from tests.harness.audio import pcm16
from tests.harness.gateway import gateway_process
from tritonclient.utils import InferenceServerException

from benchmarks.quality import guards
from benchmarks.reliability.fuzz.base import Finding, Target
from benchmarks.reliability.fuzz.state import mangled
from triscribe import blocking
from triscribe.diarization.process import DiarizerProcess, ProcessSettings
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.types import SAMPLE_RATE
from triscribe.v1 import diarization_pb2, diarization_pb2_grpc, speech_pb2, speech_pb2_grpc

PROPER = {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "OUT_OF_RANGE"}
"""Codes that tell a caller that it is his fault, or what to do."""

_DTYPES = {
    "FP32": np.float32,
    "FP64": np.float64,
    "INT16": np.int16,
    "INT32": np.int32,
    "UINT8": np.uint8,
    "FP16": np.float16,
}
_INPUTS = {
    "transcribe": {"AUDIO": "FP32", "AUDIO_INT16": "INT16", "OPTIONS": "UINT8"},
    "whisper-tiny.en": {"FEATURES": "FP32", "OPTIONS": "UINT8"},
    "align": {"AUDIO": "FP32", "WORDS": "UINT8", "LANGUAGE": "UINT8"},
}
_JSON = (
    *('{"language":"en"}', "{}", "[]", "null", "0", '""', '["hello","world"]', "en", "", "{", '{"beam_size":1}'),
    *('{"prompt":[50256]}', '{"prompt":[999999999]}', '{"prompt":[-1]}', '{"text_tokens":[0,999999]}'),
    *('{"content_frames":1}', '{"content_frames":99999999}', '{"attention":true}', '{"suppress_tokens":[999999]}'),
    *(
        "[" * 20_000,
        '{"a":' * 20_000,
        '["' + "a" * 30_000 + '"]',
        '{"beam_size":1e400}',
        '{"beam_size":' + "9" * 5000 + "}",
    ),
    *('{"language":"en","language":"fr"}', '{"language":"\\ud800"}', '["\\ud800"]', '["\\u0000"]', '[""]', '[" "]'),
)
_SHAPES = ((0,), (1,), (1, 0), (1, 1), (1, 1, 1), (1, 80, 1000), (1, 80, 3000), (1, 80, 1), (1, 80, 9000))
_IDS = ("", "mine", "a" * 100_000, 'say "no"\\', "\n\0\x7f", "ідентифікатор")
_MORE_SHAPES = (
    (1, 128, 3000),
    (1, 79, 100),
    (2, 80, 160),
    (16_000,),
    (480_000,),
    (480_001,),
    (2, 8000),
    (320,),
    (159,),
)


@contextmanager
def _server(model: str = "tiny.en") -> Iterator[EmbeddedTriton]:
    with EmbeddedTriton(ServeOptions(models=(model,))) as server:
        yield server


def _tensor(target: Target, kind: str, *, is_text: bool) -> NDArray[Any]:
    rng = target.rng
    if is_text and rng.random() < 0.8:
        text = rng.choice(_JSON).encode() if rng.random() < 0.8 else rng.randbytes(rng.randint(0, 200))
        array = np.frombuffer(text, np.uint8)
        return array if rng.random() < 0.6 else array[np.newaxis]
    shape = rng.choice(_SHAPES + _MORE_SHAPES)
    generator = np.random.default_rng(rng.getrandbits(32))
    array = (0.1 * generator.normal(size=shape)).astype(_DTYPES[kind])
    if array.size and kind.startswith("FP") and rng.random() < 0.4:
        array.flat[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, -np.inf, 6e4])
    return array


def _random_request(target: Target, model: str) -> list[grpcclient.InferInput]:
    rng = target.rng
    inputs = []
    for name, kind in _INPUTS[model].items():
        if rng.random() < 0.08 or (name == "AUDIO_INT16" and rng.random() < 0.9):
            continue
        given = rng.choice(list(_DTYPES)) if rng.random() < 0.05 else kind
        array = _tensor(target, given, is_text=kind == "UINT8" and given == "UINT8")
        if model.startswith("whisper") and array.ndim == 1:
            array = array[np.newaxis]
        called = name if rng.random() > 0.03 else rng.choice(["", "X", name.lower(), "\0", "A" * 5000])
        tensor = grpcclient.InferInput(called, list(array.shape), given)
        tensor.set_data_from_numpy(np.ascontiguousarray(array))
        if rng.random() < 0.05:  # a shape that the bytes do not fill
            tensor.set_shape([rng.choice([0, 1, 2**31 - 1, 2**40]) for _ in array.shape])
        inputs.append(tensor)
    return inputs


def _answers(
    url: str, model: str, inputs: list[grpcclient.InferInput], request_id: str = ""
) -> Iterator[dict[str, Any]]:
    """The envelopes of one request on a stream of its own."""
    got: queue.Queue[Any] = queue.Queue()
    with grpcclient.InferenceServerClient(url) as client:
        client.start_stream(lambda result, error: got.put(error or result))
        client.async_stream_infer(model, inputs, request_id=request_id)
        answer = got.get(timeout=120)
        client.stop_stream(cancel_requests=True)
    if isinstance(answer, Exception):
        raise answer
    rows = answer.as_numpy("RESULT")
    for row in rows.reshape(-1, rows.shape[-1]):
        envelope = json.loads(row.tobytes())
        if envelope.pop("request_id", "") != request_id.partition("\0")[0]:  # where Triton ends it
            raise Finding(f"{model} answered {envelope} to the request {request_id!r:.80}")
        yield envelope


def _judge(target: Target, model: str, envelopes: Callable[[], Iterator[dict[str, Any]]], what: str) -> None:
    try:
        for envelope in envelopes():
            code = envelope["error"]["code"] if "error" in envelope else "ok"
            target.outcomes[code] += 1
            if code != "ok" and code not in PROPER:
                target.found(f"{model}: {code} {envelope['error']['message'][:120]} for {what}")
    except InferenceServerException as error:
        message = error.message() or ""
        target.outcomes["refused by Triton"] += 1
        if any(sign in message for sign in ("not healthy", "Traceback", "stub", "Failed to process")):
            target.found(f"{model}: {message[:200]} for {what}")
    except ValueError:  # the client's library refuses to send it
        target.outcomes["not sent"] += 1


def _workers(server: EmbeddedTriton) -> frozenset[int]:
    process = server.supervisor.process
    assert process is not None
    return frozenset([process.pid, *process.stubs()])


def _fire(target: Target, server: EmbeddedTriton, one: Callable[[], None]) -> None:
    """Cases until the time is over; the same ordinary request between them, the same processes at their end."""
    spoken, _ = guards.conversation()
    ordinary = partial(_ordinary, server.url, spoken[int(17.5 * SAMPLE_RATE) : 22 * SAMPLE_RATE])
    expected, workers = ordinary(), _workers(server)
    if not expected:
        target.found("the ordinary request gives no text")
    for case in target.rounds():
        one()
        if case % 50 == 0 and ordinary() != expected:
            target.found(f"case {case}: the ordinary request is answered differently now")
    if ordinary() != expected:
        target.found("the ordinary request is answered differently now")
    if _workers(server) != workers:
        target.found("a worker was replaced: it had died")
    target.notes.append("no worker died" if _workers(server) == workers else "a worker died")


def _ordinary(url: str, samples: NDArray[np.float32]) -> str:
    return guards.text_of(blocking.run(guards.guarded(url, samples, voice_detection=False)))


def fire_tensors(target: Target, server: EmbeddedTriton) -> None:
    """Random tensors to the three models of a server that serves tiny.en."""

    def one() -> None:
        model = target.rng.choice(list(_INPUTS))
        try:
            inputs = _random_request(target, model)
        except (InferenceServerException, ValueError):
            target.outcomes["not sent"] += 1
            return
        request_id = target.rng.choice(_IDS)
        what = ", ".join(f"{i.name()[:20]} {i.datatype()}{i.shape()}" for i in inputs)
        _judge(target, model, lambda: _answers(server.url, model, inputs, request_id), what)

    _fire(target, server, one)


def tensors(target: Target) -> None:
    """Random shapes, types, names and contents, and shapes that the bytes do not fill."""
    with _server() as server:
        fire_tensors(target, server)


_FIELDS = (
    *("model", "language", "task", "initial_prompt", "hotwords", "word_timestamps", "detect_only", "priority"),
    *("max_wait_s", "beam_size", "patience", "temperature", "length_penalty", "repetition_penalty", "x", ""),
    *(
        "no_repeat_ngram_size",
        "suppress_tokens",
        "compression_ratio_threshold",
        "log_prob_threshold",
        "no_speech_threshold",
    ),
)


def _value(target: Target, depth: int = 0) -> Any:
    rng = target.rng
    numbers = (0, 1, -1, 5, 16, 0.5, 1e308, -1e308, 2**63, -(2**63), 10**400, float("nan"), float("inf"))
    simple = (
        None,
        True,
        False,
        "",
        "en",
        "tiny.en",
        "transcribe",
        "bulk",
        "\ud800",
        "\0",
        "語" * 50,
        "<|endoftext|>",
        *numbers,
    )
    kind = rng.randrange(8)
    if kind == 0 and depth < 3:
        return [_value(target, depth + 1) for _ in range(rng.randint(0, 5))]
    if kind == 1 and depth < 3:
        return {str(_value(target, 3)): _value(target, depth + 1) for _ in range(rng.randint(0, 3))}
    return rng.choice(simple)


def options(target: Target) -> None:
    """OPTIONS of `transcribe`: every field with every kind of value, twice the same key, and JSON that is broken."""
    quiet = np.random.default_rng(0).normal(0, 0.05, SAMPLE_RATE).astype(np.float32)

    with _server() as server:

        def one() -> None:
            names = target.rng.choices(_FIELDS, k=target.rng.randint(0, 4))
            text = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(_value(target))}" for name in names) + "}"
            data = text.encode() if target.rng.random() < 0.7 else mangled(target.rng, text.encode())
            audio = grpcclient.InferInput("AUDIO", [len(quiet)], "FP32")
            audio.set_data_from_numpy(quiet)
            encoded = grpcclient.InferInput("OPTIONS", [len(data)], "UINT8")
            encoded.set_data_from_numpy(np.frombuffer(data, np.uint8))
            _judge(target, "transcribe", lambda: _answers(server.url, "transcribe", [audio, encoded]), text[:200])

        _fire(target, server, one)


def _messages(target: Target, valid: list[bytes]) -> list[bytes]:
    rng = target.rng
    chosen = []
    for _ in range(rng.randint(1, 4)):
        data = bytearray(rng.choice(valid) if rng.random() < 0.8 else rng.randbytes(rng.randint(0, 64)))
        for _ in range(rng.randint(0, 4)):
            if data:
                data[rng.randrange(min(len(data), 64))] = rng.randrange(256)
        chosen.append(bytes(data))
    return chosen


def _call(target: Target, channel: grpc.Channel, path: str, messages: list[bytes], metadata: Any = ()) -> None:
    method: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(path)
    try:
        for _ in method(iter(messages), timeout=60, metadata=metadata):
            pass
        code = "OK"
    except grpc.RpcError as error:
        code = error.code().name
        if code not in PROPER | {"UNIMPLEMENTED"}:
            target.found(f"{path}: {code} {str(error.details())[:120]}")
    target.outcomes[code] += 1


def gateway(target: Target) -> None:
    """Random bytes and mutated messages to every method."""
    spoken, _ = guards.conversation()
    audio = pcm16(spoken[int(17.5 * SAMPLE_RATE) : 18 * SAMPLE_RATE])
    explicit = speech_pb2.ExplicitDecodingConfig(encoding=speech_pb2.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=16_000)
    config = speech_pb2.RecognitionConfig(model="tiny.en", language_code="en", explicit_decoding_config=explicit)
    streaming = speech_pb2.StreamingRecognitionConfig(config=config)
    valid = [
        speech_pb2.RecognizeRequest(config=config, audio=audio).SerializeToString(),
        speech_pb2.StreamingRecognizeRequest(streaming_config=streaming).SerializeToString(),
        speech_pb2.StreamingRecognizeRequest(audio=audio).SerializeToString(),
    ]
    with _server() as server, gateway_process(server.url) as process, grpc.insecure_channel(process.address) as channel:
        stub = speech_pb2_grpc.SpeechServiceStub(channel)
        request = speech_pb2.RecognizeRequest(
            config=config, audio=pcm16(spoken[int(17.5 * SAMPLE_RATE) : 22 * SAMPLE_RATE])
        )
        expected = stub.Recognize(request, timeout=60).results
        for case in target.rounds():
            method = target.rng.choice(["Recognize", "UploadRecognize", "StreamingRecognize", "ListModels"])
            messages = _messages(target, valid)
            if method in ("Recognize", "ListModels"):
                messages = messages[:1]
            _call(target, channel, f"/triscribe.v1.SpeechService/{method}", messages)
            if case % 50 == 0 and stub.Recognize(request, timeout=60).results != expected:
                target.found(f"case {case}: the ordinary request is answered differently now")
        if process.process.poll() is not None:
            target.found("the gateway ended")
        target.notes.append("one process all the time")


def diarizer(target: Target) -> None:
    """Random bytes and mutated messages, with the token and without."""
    spoken, _ = guards.conversation()
    config = diarization_pb2.DiarizationConfig(num_speakers=2)
    valid = [
        diarization_pb2.DiarizeRequest(config=config).SerializeToString(),
        diarization_pb2.DiarizeRequest(audio=spoken[:1600].tobytes()).SerializeToString(),
    ]
    process = DiarizerProcess(ProcessSettings())
    try:
        address = blocking.run(process.address())
        token = (("authorization", f"Bearer {process.token}"),)
        with grpc.insecure_channel(address) as channel:
            for _case in target.rounds():
                messages = _messages(target, valid)
                _call(target, channel, "/triscribe.v1.DiarizationService/Diarize", messages, token)
            with suppress(grpc.RpcError):
                method: grpc.StreamStreamMultiCallable[bytes, bytes]
                method = channel.stream_stream("/triscribe.v1.DiarizationService/Diarize")
                list(method(iter(valid), timeout=60))
                target.found("a call without the token was answered")
            stub = diarization_pb2_grpc.DiarizationServiceStub(channel)
            requests = [
                diarization_pb2.DiarizeRequest(config=config),
                *(diarization_pb2.DiarizeRequest(audio=part.tobytes()) for part in np.array_split(spoken, 4)),
            ]
            last = list(stub.Diarize(iter(requests), metadata=token, timeout=120))[-1]
            if len(last.result.speakers) != 2:
                target.found("the ordinary request does not find its two speakers any more")
        if not process.alive:
            target.found(f"the diarizer ended: {process.last_words()}")
        target.notes.append("one process all the time")
    finally:
        process.stop()
