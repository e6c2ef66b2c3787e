"""The pipeline without Triton: the same `transcribe` and `whisper` packages in one process, for sweeps and ceilings."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_REPOSITORY = Path(__file__).parents[1] / "model_repository"
sys.path += [str(_REPOSITORY / name) for name in ("transcribe", "whisper", "align")]

from triscribe.types import Chunk  # noqa: E402
from triscribe_transcribe.errors import PipelineError  # noqa: E402
from triscribe_transcribe.service import Request, Service, Settings  # noqa: E402
from triscribe_whisper.checkpoint import Checkpoint  # noqa: E402
from triscribe_whisper.device import load  # noqa: E402
from triscribe_whisper.engine import Answer, Call, Engine  # noqa: E402
from triscribe_whisper.options import WhisperOptions  # noqa: E402


class InProcess:
    """`Service` over an engine in a thread; calls that arrive together run as one batch, as in Triton."""

    def __init__(self, name: str, path: Path, settings: Mapping[str, Any] | None = None, *, threads: int = 0) -> None:
        self._engine = Engine(load(str(path), device="cpu", threads=threads), Checkpoint.read(path))
        self._pool = ThreadPoolExecutor(1)
        self._pending: list[tuple[Call, asyncio.Future[Any]]] = []
        self.calls = 0
        self._name = name
        self._path = path
        self.configure(settings or {})

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Other settings over the same weights."""
        self.retries: list[str] = []
        self._service = Service(
            models={self._name: {"path": str(self._path), "tasks": ["transcribe", "translate"], "languages": []}},
            aligner_languages=frozenset(),
            settings=Settings.model_validate_json(json.dumps(settings)),
            call=self._call,
            on_retry=lambda verdict: self.retries.append(verdict.value),
        )

    async def transcribe(self, chunks: Sequence[Chunk], options: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The `ok` of every chunk."""
        text = json.dumps(options).encode()
        requests = [Request(chunk.samples, "AUDIO", text) for chunk in chunks]
        envelopes = await asyncio.gather(*(self._service.handle(request) for request in requests))
        return [envelope["ok"] for envelope in envelopes]

    async def _call(self, model: str, tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        call = Call(tensors["FEATURES"][0], WhisperOptions.parse(tensors["OPTIONS"].tobytes()))
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append((call, done))
        await asyncio.sleep(0)
        if self._pending and self._pending[0][1] is done:
            batch, self._pending = self._pending, []
            self.calls += 1
            loop = asyncio.get_running_loop()
            answers = await loop.run_in_executor(self._pool, self._engine.run, [call for call, _ in batch])
            for (_, waiting), answer in zip(batch, answers, strict=True):
                waiting.set_result(answer)
        answer = await done
        if not isinstance(answer, Answer):
            raise PipelineError(answer.code, str(answer), answer.field)
        return json.loads(json.dumps(asdict(answer), default=np.ndarray.tolist))  # type: ignore[no-any-return]
