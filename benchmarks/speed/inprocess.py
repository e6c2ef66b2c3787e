"""The pipeline without Triton: the same packages in one process, for sweeps and ceilings.

Executions and alignments run on threads, as many as the server has instances, and every array and answer is handed
over as it is: no processes, no copies, no gRPC.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from tests.harness.paths import REPOSITORY

_REPOSITORY = REPOSITORY / "model_repository"
sys.path += [str(_REPOSITORY / name) for name in ("transcribe", "whisper", "align")]

from triscribe.models import ModelStore  # noqa: E402
from triscribe.serving.assemble import link_languages  # noqa: E402
from triscribe.serving.sizing import Sizing, size_machine  # noqa: E402
from triscribe.types import Chunk  # noqa: E402
from triscribe_align.service import Aligner  # noqa: E402
from triscribe_transcribe.errors import PipelineError  # noqa: E402
from triscribe_transcribe.service import Request, Service, Settings  # noqa: E402
from triscribe_whisper.checkpoint import Checkpoint  # noqa: E402
from triscribe_whisper.device import load  # noqa: E402
from triscribe_whisper.engine import Answer, Call, Engine  # noqa: E402
from triscribe_whisper.options import WhisperOptions  # noqa: E402


class InProcess:
    """`Service` over engines on threads; sized as the server would be on this machine."""

    def __init__(
        self,
        name: str,
        path: Path,
        settings: Mapping[str, Any] | None = None,
        *,
        sizing: Sizing | None = None,
        aligner: bool = False,
    ) -> None:
        self._sizing = sizing = sizing or size_machine(device="cpu")
        model = load(str(path), device="cpu", threads=sizing.threads, workers=sizing.instances)
        self._engine = Engine(model, Checkpoint.read(path))
        self._pools = ThreadPoolExecutor(sizing.instances), ThreadPoolExecutor(sizing.align_instances)
        self._aligner = _aligner(sizing) if aligner else None
        self.executions = 0
        self._name = name
        self._path = path
        self.configure(settings or {})

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Other settings over the same weights."""
        self.retries: list[str] = []
        self._service = Service(
            models={self._name: {"path": str(self._path), "tasks": ["transcribe", "translate"], "languages": []}},
            aligner_languages=frozenset(self._aligner.languages if self._aligner else ()),
            settings=Settings.model_validate_json(json.dumps({"limits": self._sizing.limits(), **settings})),
            call=self._call,
            on_retry=lambda verdict: self.retries.append(verdict.value),
        )

    async def transcribe(self, chunks: Sequence[Chunk], options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The `ok` of every chunk."""
        text = json.dumps(options).encode()
        requests = [Request(chunk.samples, "AUDIO", text) for chunk in chunks]
        envelopes = await asyncio.gather(*(self._service.handle(request) for request in requests))
        return [envelope["ok"] for envelope in envelopes]

    async def _call(self, model: str, tensors: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
        work = partial(self._align if model == "align" else self._decode, tensors)
        pool = self._pools[model == "align"]
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def _decode(self, tensors: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
        self.executions += 1
        rows = zip(tensors["FEATURES"], tensors["OPTIONS"], strict=True)
        answers = self._engine.run([Call(row, WhisperOptions.parse(options.tobytes())) for row, options in rows])
        for answer in answers:
            if not isinstance(answer, Answer):
                raise PipelineError(answer.code, str(answer), answer.field)
        return [{"ok": asdict(answer)} for answer in answers if isinstance(answer, Answer)]

    def _align(self, tensors: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
        assert self._aligner
        words = json.loads(tensors["WORDS"].tobytes())
        aligned = self._aligner.align(tensors["AUDIO"], words, tensors["LANGUAGE"].tobytes().decode())
        return [{"ok": {"words": [asdict(word) for word in aligned]}}]


def _aligner(sizing: Sizing) -> Aligner:
    folder = Path(tempfile.mkdtemp(prefix="triscribe-aligner-"))
    link_languages(_REPOSITORY / "align" / "languages", folder, ModelStore())
    aligner = Aligner(folder, threads=sizing.align_threads)
    aligner.warm_up("en")
    return aligner
