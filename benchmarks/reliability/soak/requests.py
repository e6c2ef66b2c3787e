"""The mixed requests of a soak. Whoever gets a text other than the undisturbed one is written down."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc.aio as grpcclient
from tests.harness.audio import conversation, wav
from tests.harness.paths import COMMAND
from tritonclient.utils import InferenceServerException

from triscribe.client import AsyncClient, RecognitionOptions
from triscribe.errors import DeadlineExceededError, InvalidArgumentError, ServerError
from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.types import SAMPLE_RATE, Chunk, ChunkResult

CUTS_S = ((7.0, 7.3), (6.6, 7.6), (21.9, 24.0), (6.6, 9.6), (10.0, 16.0), (12.0, 24.0), (0.5, 29.5))
CUT_WEIGHTS = (0.15, 0.15, 0.25, 0.2, 0.15, 0.07, 0.03)
PROBE = 3
"""The fixed clip: 3 s."""
KINDS = {
    "raw": 0.58,
    "gateway": 0.14,
    "upload": 0.03,
    "cancelled": 0.07,
    "expired": 0.05,
    "invalid": 0.05,
    "wrong tensors": 0.03,
    "silent": 0.05,
}
CLI_EVERY = 250
GREEDY = [0.0]
"""One temperature: nothing is drawn at random, so equal audio has one text."""


class Mix:
    """Sends one request after the other, of kinds drawn at random with a fixed seed.

    Attributes:
        wrong: what should not have been, one line each.
        compared: texts that were compared with the undisturbed one.
    """

    def __init__(self, server: str, gateway: str, models: Sequence[str]) -> None:
        samples = conversation()
        self._clips = [samples[int(a * SAMPLE_RATE) : int(b * SAMPLE_RATE)] for a, b in CUTS_S]
        self._server, self._gateway = server, gateway
        self._models = models
        self._random = np.random.default_rng(0)
        self._expected: dict[tuple[Any, ...], str] = {}
        self._sent = 0
        self.wrong: list[str] = []
        self.compared = 0

    async def __aenter__(self) -> Mix:
        self._connection = TritonConnection(self._server, retry=RetryPolicy(give_up_after_s=30))
        self._raw = grpcclient.InferenceServerClient(self._server)
        self._client = AsyncClient(self._gateway or "127.0.0.1:1")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._connection.__aexit__(None, None, None)
        await self._raw.close()
        await self._client.close()

    def _variants(self) -> list[dict[str, Any]]:
        variants: list[dict[str, Any]] = [
            {"model": model, "language": "en", "temperature": GREEDY, "word_timestamps": words, "beam_size": beam}
            for model in self._models
            for words, beam in ((True, 5), (False, 1))
        ]
        prompted = {"model": self._models[0], "temperature": GREEDY, "initial_prompt": "Ein Gespräch."}
        return [*variants, {**prompted, "language": "en" if self._models[0].endswith(".en") else "de"}]

    async def learn(self) -> None:
        """The undisturbed texts, one request at a time."""
        for clip in range(len(self._clips)):
            for variant in range(len(self._variants())):
                self._expected["raw", clip, variant] = _text(await self._ask(clip, self._variants()[variant]))
            for kind in ("gateway", "upload"):
                self._expected[kind, clip] = await self._through_gateway(kind, clip)
        self._expected["cli",] = await self._cli()

    async def one(self) -> str:
        """Send one, judge it, and say of which kind it was."""
        self._sent += 1
        kind = "command line" if self._sent % CLI_EVERY == 0 else str(self._random.choice(list(KINDS), p=_weights()))
        clip = int(self._random.choice(len(self._clips), p=CUT_WEIGHTS))
        variant = int(self._random.integers(len(self._variants())))
        try:
            async with asyncio.timeout(300):
                await self._send(kind, clip, variant)
        except Exception as error:
            self.wrong.append(f"{kind}, clip {clip}: {type(error).__name__}: {error}")
        return kind

    async def probe(self) -> float:
        """Seconds of the fixed clip; its text has to be right."""
        began = time.monotonic()
        variant = {"model": self._models[0], "language": "en", "temperature": GREEDY}
        text = _text(await self._ask(PROBE, variant))
        took = time.monotonic() - began
        self._compare(("probe",), self._expected.setdefault(("probe",), text), text)
        if not text:
            self.wrong.append("the fixed clip has no text")
        return took

    async def _send(self, kind: str, clip: int, variant: int) -> None:
        if kind == "raw":
            self._equal(("raw", clip, variant), _text(await self._ask(clip, self._variants()[variant])))
        elif kind in ("gateway", "upload"):
            self._equal((kind, clip), await self._through_gateway(kind, clip))
        elif kind == "command line":
            self._equal(("cli",), await self._cli())
        elif kind == "silent":
            silence = np.zeros(int(self._random.uniform(0.3, 30) * SAMPLE_RATE), np.float32)
            answer = await self._connection.transcribe(Chunk(0, 0.0, silence), {"language": "en"}, timeout_s=300)
            self._compare(("silent",), "", _text(answer))
        elif kind == "cancelled":
            task = asyncio.create_task(self._ask(clip, self._variants()[variant]))
            await asyncio.sleep(float(self._random.uniform(0.0, 0.6)))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        else:
            await self._must_fail(kind, clip)

    async def _must_fail(self, kind: str, clip: int) -> None:
        try:
            if kind == "expired":
                chunk = Chunk(0, 0.0, self._clips[clip])
                await self._connection.transcribe(chunk, {"language": "en"}, timeout_s=0.02)
            elif kind == "invalid":
                await self._ask(clip, {"beam_size": 0} if clip % 2 else {"bean": 5})
            else:
                await self._wrong_tensors()
        except (DeadlineExceededError, InvalidArgumentError, InferenceServerException) as error:
            if isinstance(error, DeadlineExceededError) != (kind == "expired"):
                raise
            return
        self.wrong.append(f"{kind}: was answered")

    async def _wrong_tensors(self) -> None:
        tensor = grpcclient.InferInput("AUDIO", [2, 8000], "FP32")
        tensor.set_data_from_numpy(np.zeros((2, 8000), np.float32))

        async def requests() -> Any:
            yield {"model_name": "transcribe", "inputs": [tensor]}

        stream = self._raw.stream_infer(requests())
        try:
            async for _, error in stream:
                if error is not None:
                    raise error
                return
        finally:
            stream.cancel()

    async def _ask(self, clip: int, options: dict[str, Any]) -> ChunkResult:
        return await self._connection.transcribe(Chunk(0, 0.0, self._clips[clip]), options, timeout_s=300)

    async def _through_gateway(self, kind: str, clip: int) -> str:
        options = RecognitionOptions(language="en", decoding={"temperatures": GREEDY})
        if kind == "upload":
            return (await self._client.transcribe(wav(self._clips[clip]), options)).text
        while True:
            try:
                return (await self._client.recognize(wav(self._clips[clip]), options)).text
            except ServerError as error:
                if error.code not in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"):
                    raise
                await asyncio.sleep(error.retry_after_s or 1.0)

    async def _cli(self) -> str:
        with tempfile.TemporaryDirectory(prefix="triscribe-soak-") as folder:
            path = Path(folder) / "clip.wav"
            path.write_bytes(wav(self._clips[4]))
            command = [
                COMMAND,
                "transcribe",
                "--server",
                self._server,
                "--language",
                "en",
                "--format",
                "json",
                str(path),
            ]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        text: str = json.loads(done.stdout)["text"]
        return text

    def _equal(self, key: tuple[Any, ...], text: str) -> None:
        self._compare(key, self._expected[key], text)

    def _compare(self, key: tuple[Any, ...], expected: str, text: str) -> None:
        self.compared += 1
        if text != expected:
            self.wrong.append(f"{key}: {text!r} instead of {expected!r}")


def _weights() -> list[float]:
    return [weight / sum(KINDS.values()) for weight in KINDS.values()]


def _text(result: ChunkResult) -> str:
    return " ".join(segment.text for segment in result.segments)
