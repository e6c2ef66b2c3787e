"""Triton model `transcribe`: decodes tensors, calls `triscribe_transcribe`, encodes the envelope."""

from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from triscribe_tensors import ForeignAnswerError, read, read_results, write, write_result
from triscribe_transcribe.errors import PipelineError
from triscribe_transcribe.quality import Verdict
from triscribe_transcribe.service import Request, Service, Settings


class TritonPythonModel:
    """Entry points that Triton calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the parameters of config.pbtxt and the tokenizers of the served checkpoints."""
        parameters = {k: v["string_value"] for k, v in json.loads(args["model_config"])["parameters"].items()}
        # Kept: a family leaves /metrics when it is collected.
        self._families = [
            pb_utils.MetricFamily(
                name="triscribe_chunk_retries_total",
                description="Decodings that failed a quality gate and were tried again",
                kind=pb_utils.MetricFamily.COUNTER,
            ),
            # Triton's own pending count is wrong for a pipeline with a decoupled step (server#6494).
            pb_utils.MetricFamily(
                name="triscribe_waiting_audio_seconds",
                description="Encoder context waiting in the queues, in seconds of audio",
                kind=pb_utils.MetricFamily.GAUGE,
            ),
        ]
        self._retries = {verdict: self._families[0].Metric(labels={"reason": verdict.value}) for verdict in Verdict}
        self._waiting = self._families[1].Metric(labels={})
        self._service = Service(
            models=json.loads(parameters["models"]),
            aligner_languages=frozenset(filter(None, parameters["aligner_languages"].split(","))),
            settings=Settings.model_validate_json(parameters["settings"]),
            call=_call,
            on_retry=lambda verdict: self._retries[verdict].increment(1),
            on_queue=self._waiting.set,
        )

    async def execute(self, requests: list[Any]) -> None:
        """Answer each request on its own stream; Triton may call this again before it returns."""
        for request in requests:
            sender = request.get_response_sender()
            envelope = await self._service.handle(_decode(request, sender))
            sender.send(
                write_result(envelope, request.request_id()), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
            )


def _decode(request: Any, sender: Any) -> Request:
    audio, audio_int16, options = (read(request, name) for name in ("AUDIO", "AUDIO_INT16", "OPTIONS"))
    field = "AUDIO" if audio is not None else "AUDIO_INT16"
    samples = audio if audio is not None else audio_int16
    if samples is None or (audio is not None and audio_int16 is not None):
        samples, field = np.empty((0, 0), np.float32), "AUDIO"  # refused by its rank
    text = None if options is None else options.tobytes()
    return Request(samples, field, text, sender.is_cancelled)


async def _call(model: str, tensors: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """The one place that makes BLS calls: the envelopes that came back, one a row."""
    try:
        return await _ask(model, tensors)
    except ForeignAnswerError as error:
        pb_utils.Logger.log_warn(f"{model}: {error}; it is asked once more")
    try:
        return await _ask(model, tensors)
    except ForeignAnswerError as error:
        raise PipelineError("UNAVAILABLE", f"{model}: {error}") from error


async def _ask(model: str, tensors: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    request_id = uuid.uuid4().hex
    request = pb_utils.InferenceRequest(
        request_id=request_id,
        model_name=model,
        requested_output_names=["RESULT"],
        inputs=[write(name, value) for name, value in tensors.items()],
    )
    try:
        response = await request.async_exec()
    except pb_utils.TritonModelException as error:  # no room for the tensors, or no answer from the server itself
        raise PipelineError("UNAVAILABLE", f"{model}: {error}") from error
    if response.has_error():
        raise PipelineError("UNAVAILABLE", f"{model}: {response.error().message()}")
    return read_results(response, request_id)
