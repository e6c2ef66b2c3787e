"""A real request to each served model: the only thing that tells a healthy server from a dead one."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence

import grpc
import numpy as np
import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from triscribe.errors import ServingError
from triscribe.triton.names import TRANSCRIBE, whisper_model
from triscribe.triton.tls import MutualTls
from triscribe.types import SAMPLE_RATE, Samples

_BUSY = ("RESOURCE_EXHAUSTED",)


def canary_audio() -> Samples:
    """A second of faint noise, above the pipeline's silence threshold, so that the request reaches the weights."""
    return np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)


class AnswersSince:
    """Tells whether a model has answered somebody since it was last asked: then it needs no request of ours."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def since(self, model: str, successes: int) -> bool:
        """Whether `successes`, Triton's own count, has grown; the first time it has not."""
        before, self._counts[model] = self._counts.get(model, successes), successes
        return successes > before

    def forget(self) -> None:
        """Start anew: the server was lost, and its counts with it."""
        self._counts.clear()


class Canary:
    """Asks every model for the language of a second of faint noise."""

    def __init__(self, url: str, models: Sequence[str], tls: MutualTls | None = None) -> None:
        self._url = url
        self._tls = tls
        self._models = tuple(models)
        self._answered = AnswersSince()
        self._audio = canary_audio()

    def _connect(self) -> grpcclient.InferenceServerClient:
        """A connection; the files are read each time, since they may have been renewed before a restart."""
        if self._tls is None:
            return grpcclient.InferenceServerClient(self._url)
        pem = (file.read_bytes() for file in (self._tls.client_ca, self._tls.key, self._tls.cert))
        return grpcclient.InferenceServerClient(
            self._url,
            creds=grpc.ssl_channel_credentials(*pem),
            channel_args=[("grpc.ssl_target_name_override", "localhost")],
        )

    def is_ready(self) -> bool:
        """Triton's own word that every model is loaded."""
        if not self._listens():
            return False
        try:
            with self._connect() as client:
                return bool(client.is_server_ready(client_timeout=2.0))
        except InferenceServerException:
            return False

    def _listens(self) -> bool:
        """Whether the port takes connections, which it does once the models are loaded: cheaper than to ask by gRPC."""
        host, _, port = self._url.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=2.0):
                return True
        except OSError:
            return False

    def ask_all(self, timeout_s: float) -> None:
        """Make each model answer, or see that it has answered somebody since the last time.

        Raises:
            TimeoutError: no answer.
            ServingError: an answer that shows a broken server.
        """
        deadline = time.monotonic() + timeout_s
        try:
            with self._connect() as client:
                for model in self._models:
                    if not self._answered_meanwhile(client, model):
                        self._ask(client, model, deadline)
        except InferenceServerException as error:
            if "deadline" in str(error).lower():
                raise TimeoutError(str(error)) from error
            raise ServingError(f"a canary request failed: {error}") from error

    def _answered_meanwhile(self, client: grpcclient.InferenceServerClient, model: str) -> bool:
        name = whisper_model(model)
        statistics = client.get_inference_statistics(name, client_timeout=5.0)
        return self._answered.since(name, int(statistics.model_stats[0].inference_stats.success.count))

    def _ask(self, client: grpcclient.InferenceServerClient, model: str, deadline: float) -> None:
        audio = grpcclient.InferInput("AUDIO", [len(self._audio)], "FP32")
        audio.set_data_from_numpy(self._audio)
        text = np.frombuffer(json.dumps({"model": model, "detect_only": True}).encode(), np.uint8)
        options = grpcclient.InferInput("OPTIONS", [len(text)], "UINT8")
        options.set_data_from_numpy(text)
        answers: list[object] = []
        client.start_stream(lambda result, error: answers.append(error or result))
        client.async_stream_infer(TRANSCRIBE, [audio, options])
        while not answers:
            if time.monotonic() > deadline:
                client.stop_stream(cancel_requests=True)
                raise TimeoutError(f"no answer from {model}")
            time.sleep(0.01)
        client.stop_stream()
        answer = answers[0]
        if isinstance(answer, InferenceServerException):
            raise ServingError(f"model {model} answers: {answer}")
        envelope = json.loads(answer.as_numpy("RESULT").tobytes())  # type: ignore[attr-defined]
        code = envelope.get("error", {}).get("code")
        if code and code not in _BUSY:
            raise ServingError(f"model {model} answers {code}: {envelope['error']['message']}")
