"""Triton model `whisper-<name>`: decodes tensors, calls `triscribe_whisper`, encodes tensors."""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from triscribe_metrics import info
from triscribe_tensors import read, write_result
from triscribe_whisper.checkpoint import Checkpoint
from triscribe_whisper.device import load_best
from triscribe_whisper.engine import Answer, Call, Engine
from triscribe_whisper.errors import WhisperError
from triscribe_whisper.options import WhisperOptions


class TritonPythonModel:
    """Entry points that Triton calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load and warm the checkpoint named in config.pbtxt."""
        parameters = {
            key: value["string_value"] for key, value in json.loads(args["model_config"])["parameters"].items()
        }
        path = parameters["model_path"]
        device = parameters["device"]
        if args["model_instance_kind"] == "GPU":
            device = f"cuda:{args['model_instance_device_id']}"
        loaded = load_best(
            path,
            device=device,
            compute_type=parameters["compute_type"],
            threads=int(parameters["threads"]),
            cpu_fallback=parameters["device"] == "auto",
        )
        self._metric = info(
            pb_utils,
            model=args["model_name"].removeprefix("whisper-"),
            device=loaded.device,
            compute_type=loaded.compute_type,
            fallback=loaded.fallback,
        )
        self._engine = Engine(loaded.model, Checkpoint.read(Path(path)))
        self._engine.warm_up()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer a batch; a request that fails does not touch the others."""
        results: list[Answer | WhisperError | None] = [_cancelled(request) for request in requests]
        calls: list[Call] = []
        waiting: list[int] = []
        for index, request in enumerate(requests):
            if results[index] is None:
                try:
                    calls.append(_decode(request))
                    waiting.append(index)
                except WhisperError as error:
                    results[index] = error
        for index, result in zip(waiting, self._run(calls), strict=True):
            results[index] = result
        return [_encode(result) for result in results]

    def _run(self, calls: list[Call]) -> list[Answer | WhisperError]:
        try:
            return self._engine.run(calls)
        except Exception:
            pb_utils.Logger.log_error(traceback.format_exc())
            return [WhisperError("INTERNAL", "decoding failed; the server's log has the reason")] * len(calls)


def _cancelled(request: Any) -> WhisperError | None:
    return WhisperError("CANCELLED", "the caller went away") if request.is_cancelled() else None


def _decode(request: Any) -> Call:
    features, options = read(request, "FEATURES"), read(request, "OPTIONS")
    assert features is not None and options is not None  # noqa: S101, PT018 - config.pbtxt requires both
    return Call(features[0], WhisperOptions.parse(options.tobytes()))


def _encode(result: Answer | WhisperError | None) -> Any:
    if isinstance(result, Answer):
        envelope: dict[str, Any] = {"ok": asdict(result)}
    else:
        error = result or WhisperError("INTERNAL", "no answer")
        envelope = {"error": {"code": error.code, "field": error.field, "message": str(error), "retry_after_s": None}}
    return write_result(envelope, batched=True)
