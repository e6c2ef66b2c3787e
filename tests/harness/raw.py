"""Triton as a caller meets it that has nothing of ours: tensors as they are, right or wrong, and the envelope."""

from __future__ import annotations

import json
import queue
from typing import Any

import numpy as np
import tritonclient.grpc as grpcclient
from numpy.typing import NDArray

_TYPES = {"float32": "FP32", "float64": "FP64", "int16": "INT16", "int32": "INT32", "uint8": "UINT8"}


def as_bytes(options: dict[str, Any] | bytes | str) -> NDArray[np.uint8]:
    """OPTIONS as the UINT8 tensor that the contract asks for."""
    if isinstance(options, dict):
        options = json.dumps(options)
    return np.frombuffer(options.encode() if isinstance(options, str) else options, np.uint8)


class RawClient:
    """One gRPC stream to Triton that sends tensors as they are, right or wrong, and opens the envelope."""

    def __init__(self, url: str) -> None:
        self._client = grpcclient.InferenceServerClient(url)
        self._answers: queue.Queue[Any] = queue.Queue()
        self._client.start_stream(lambda result, error: self._answers.put(error or result))

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.stop_stream()
        self._client.close()

    def send(self, tensors: dict[str, NDArray[Any]], *, model: str = "transcribe", request_id: str = "") -> None:
        """Send one request; `receive` gives its answer."""
        inputs = []
        for name, array in tensors.items():
            tensor = grpcclient.InferInput(name, list(array.shape), _TYPES[array.dtype.name])
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
        self._client.async_stream_infer(model, inputs, request_id=request_id)

    def receive(self, timeout_s: float = 60) -> dict[str, Any]:
        """The next envelope.

        Raises:
            InferenceServerException: Triton itself refused the request.
        """
        answer = self._answers.get(timeout=timeout_s)
        if isinstance(answer, Exception):
            raise answer
        envelope: dict[str, Any] = json.loads(answer.as_numpy("RESULT").tobytes())
        return envelope

    def ask(self, audio: NDArray[Any], options: dict[str, Any] | bytes | None = None) -> dict[str, Any]:
        """The envelope for one chunk; int16 samples go into their own input."""
        tensors = {"AUDIO_INT16" if audio.dtype == np.int16 else "AUDIO": audio}
        if options is not None:
            tensors["OPTIONS"] = as_bytes(options)
        self.send(tensors)
        return self.receive()


def ok(envelope: dict[str, Any]) -> dict[str, Any]:
    """The answer of an envelope that must not be an error."""
    assert set(envelope) == {"ok"}, envelope
    answer: dict[str, Any] = envelope["ok"]
    return answer


def text_of(answer: dict[str, Any]) -> str:
    """All the text of one `ok`."""
    return " ".join(segment["text"] for segment in answer["segments"])
