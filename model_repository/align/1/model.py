"""Triton model `align`: decodes tensors, calls `triscribe_align`, encodes tensors."""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from triscribe_align.errors import AlignError
from triscribe_align.runtime import settle
from triscribe_align.service import Aligner, parse_words
from triscribe_metrics import info
from triscribe_tensors import read, write_result


class TritonPythonModel:
    """Entry points that Triton calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """List the languages and load those that must answer at once."""
        parameters = {
            key: value["string_value"] for key, value in json.loads(args["model_config"])["parameters"].items()
        }
        device, fell_back = settle(parameters["device"])
        self._metric = info(
            pb_utils, model=args["model_name"], device=device, compute_type="float32", fallback=fell_back and "device"
        )
        self._aligner = Aligner(
            Path(__file__).parent.parent / "languages",
            threads=int(parameters["threads"]),
            max_sessions=int(parameters["max_sessions"]),
            device=device,
        )
        for language in filter(None, parameters["preload"].split(",")):
            self._aligner.warm_up(language)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request with its own envelope; one that fails does not touch the others."""
        return [write_result(self._envelope(request), request.request_id()) for request in requests]

    def _envelope(self, request: Any) -> dict[str, Any]:
        try:
            if request.is_cancelled():
                raise AlignError("CANCELLED", "the caller went away")
            return {"ok": {"words": self._words(request)}}
        except AlignError as error:
            failure = error
        except Exception:
            pb_utils.Logger.log_error(traceback.format_exc())
            failure = AlignError("INTERNAL", "alignment failed; the server's log has the reason")
        return {"error": {"code": failure.code, "field": failure.field, "message": str(failure), "retry_after_s": None}}

    def _words(self, request: Any) -> list[dict[str, Any]]:
        audio, words, language = (read(request, name) for name in ("AUDIO", "WORDS", "LANGUAGE"))
        assert audio is not None and words is not None and language is not None  # noqa: S101, PT018 - all required
        aligned = self._aligner.align(audio, parse_words(words.tobytes()), language.tobytes().decode(errors="replace"))
        return [asdict(word) for word in aligned]
