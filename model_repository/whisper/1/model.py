"""Triton model `whisper-<name>`: decodes tensors, calls `triscribe_whisper`, encodes tensors."""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from triscribe_metrics import info
from triscribe_tensors import read, write_results
from triscribe_whisper.checkpoint import Checkpoint
from triscribe_whisper.device import load_best
from triscribe_whisper.engine import Answer, Call, Engine
from triscribe_whisper.errors import WhisperError
from triscribe_whisper.options import WhisperOptions


class TritonPythonModel:
    """Entry points that Triton calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the checkpoint named in config.pbtxt, and warm it unless its only caller waits already."""
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
        if parameters["warm_up"] == "true":
            self._engine.warm_up()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests of one or more rows; a row that fails does not touch the others."""
        return [
            write_results([_envelope(result) for result in self._answer(request)], request.request_id())
            for request in requests
        ]

    def _answer(self, request: Any) -> list[Answer | WhisperError]:
        features, options = read(request, "FEATURES"), read(request, "OPTIONS")
        assert features is not None and options is not None  # noqa: S101, PT018 - config.pbtxt requires both
        if request.is_cancelled():
            return [WhisperError("CANCELLED", "the caller went away")] * len(features)
        rows = [_decode(row, text.tobytes()) for row, text in zip(features, options, strict=True)]
        answers = iter(self._run([row for row in rows if isinstance(row, Call)]))
        return [next(answers) if isinstance(row, Call) else row for row in rows]

    def _run(self, calls: list[Call]) -> list[Answer | WhisperError]:
        try:
            return self._engine.run(calls)
        except Exception:
            pb_utils.Logger.log_error(traceback.format_exc())
            return [WhisperError("INTERNAL", "decoding failed; the server's log has the reason")] * len(calls)


def _decode(features: NDArray[np.float32], options: bytes) -> Call | WhisperError:
    try:
        return Call(features, WhisperOptions.parse(options))
    except WhisperError as error:
        return error


def _envelope(result: Answer | WhisperError) -> dict[str, Any]:
    if isinstance(result, Answer):
        return {"ok": asdict(result)}
    return {"error": {"code": result.code, "field": result.field, "message": str(result), "retry_after_s": None}}
