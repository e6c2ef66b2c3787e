"""A 3 s clip while a long file is running: how long it waits, what bounds that, and what the bound costs.

    .venv/bin/python -m benchmarks.load.mixed [--minutes 30] [--pairs 3] [--model base]
    .venv/bin/python -m benchmarks.load.mixed --quick

All in one run on one machine: the clip on an idle server; the clip, again and again, while the file runs; every bulk
execution meanwhile, from Triton's statistics; then the file's speed with and without the cap on the audio in one bulk
execution, turn by turn.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import tritonclient.grpc as grpcclient
from tests.harness.audio import conversation
from tests.harness.processes import polled

from triscribe import blocking
from triscribe.media.decoding import Decoded
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.triton.connection import TritonConnection
from triscribe.triton.session import Session
from triscribe.types import SAMPLE_RATE, Chunk, Samples

CLIP_S = (6.6, 9.6)
PAUSE_S = 1.0
"""Between two clips: one caller who speaks now and then."""

UNCAPPED = {"bulk_group_s": 1e9}
OPTIONS = TranscribeOptions(language="en", decoding={"temperature": [0.0]})


class Executions:
    """Durations of single executions of a Triton model, from the growth of its statistics between two looks."""

    def __init__(self, url: str, model: str) -> None:
        self._url, self._model = url, model
        self.durations_s: list[float] = []

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Look 50 times a second until the block ends."""
        with grpcclient.InferenceServerClient(self._url) as client:
            before = self._totals(client)

            def look() -> None:
                nonlocal before
                now = self._totals(client)
                if (count := now[0] - before[0]) > 0:
                    self.durations_s += [(now[1] - before[1]) / 1e9 / count] * count
                before = now

            with polled(look, 0.02):
                yield

    def _totals(self, client: grpcclient.InferenceServerClient) -> tuple[int, int]:
        """Executions so far and their nanoseconds: per batch, because per request a batch counts many times."""
        batches = client.get_inference_statistics(self._model).model_stats[0].batch_stats
        return sum(b.compute_infer.count for b in batches), sum(b.compute_infer.ns for b in batches)


async def clip_latencies(url: str, clip: Samples, count: int, until: asyncio.Task[float] | None = None) -> list[float]:
    """Seconds of each of `count` requests, one after the other; ends early when `until` is done."""
    took: list[float] = []
    request = OPTIONS.request(language="en", priority="interactive")
    async with TritonConnection(url) as connection:
        while len(took) < count and not (until and until.done()):
            started = time.monotonic()
            await connection.transcribe(Chunk(0, 0.0, clip), request, timeout_s=300)
            took.append(time.monotonic() - started)
            if until:
                await asyncio.sleep(PAUSE_S)
    return took


async def file(url: str, samples: Samples) -> float:
    """Audio seconds a second of a whole file."""
    started = time.monotonic()
    async with Session(url) as session:
        await Transcriber(url, OPTIONS).transcribe_in(session, Decoded(samples))
    return len(samples) / SAMPLE_RATE / (time.monotonic() - started)


async def mixed(url: str, clip: Samples, samples: Samples) -> tuple[list[float], float]:
    """Latencies of the clip while the file runs, and the file's speed meanwhile."""
    job = asyncio.create_task(file(url, samples))
    await asyncio.sleep(2.0)  # until the bulk executions have begun
    took = await clip_latencies(url, clip, 10_000, until=job)
    return took, await job


def describe(name: str, seconds: Sequence[float]) -> str:
    """Median, 99th percentile and the longest, in ms."""
    p50, p99 = np.percentile(seconds, (50, 99)) * 1e3
    return f"{name}: median {p50:.0f} ms, p99 {p99:.0f} ms, longest {1e3 * max(seconds):.0f} ms (n = {len(seconds)})"


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base")
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the file that the clip runs beside")
    parser.add_argument("--clips", type=int, default=40, help="clips on the idle server")
    parser.add_argument("--pairs", type=int, default=3, help="runs with and without the cap")
    parser.add_argument("--pair-minutes", type=float, default=5.0, help="length of the file in those")
    parser.add_argument("--quick", action="store_true", help="a minute, for a look at whether it works")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.minutes, arguments.clips, arguments.pairs, arguments.pair_minutes = 3.0, 10, 1, 1.0
    options = ServeOptions(models=(arguments.model,))
    print(f"{arguments.model}, {os.cpu_count()} cores")
    _latency(options, arguments)
    _cost(arguments)


def _latency(options: ServeOptions, arguments: argparse.Namespace) -> None:
    clip = conversation()[int(CLIP_S[0] * SAMPLE_RATE) : int(CLIP_S[1] * SAMPLE_RATE)]
    with EmbeddedTriton(options) as server:
        idle = blocking.run(clip_latencies(server.url, clip, arguments.clips))
        print(describe("3 s clip, idle", idle))
        executions = Executions(server.url, f"whisper-{arguments.model}")
        with executions.watch():
            loaded, speed = blocking.run(mixed(server.url, clip, conversation(arguments.minutes)))
    print(describe(f"3 s clip beside a file of {arguments.minutes:g} min", loaded))
    print(describe("whisper executions meanwhile", executions.durations_s))
    print(f"the file meanwhile: {speed:.1f} x real time")
    longest, alone = max(executions.durations_s), float(np.median(idle))
    p99 = float(np.percentile(loaded, 99))
    print(
        f"bound: longest execution + idle median = {1e3 * (longest + alone):.0f} ms; "
        f"p99 / bound = {p99 / (longest + alone):.2f}"
    )


def _cost(arguments: argparse.Namespace) -> None:
    """The file alone with and without the cap, turn by turn, on two servers of which one idles."""
    samples = conversation(arguments.pair_minutes)
    ratios = []
    with (
        EmbeddedTriton(ServeOptions(models=(arguments.model,))) as capped,
        EmbeddedTriton(ServeOptions(models=(arguments.model,), sizing=UNCAPPED)) as uncapped,
    ):
        for server in (capped, uncapped):
            blocking.run(file(server.url, conversation()))
        for _ in range(arguments.pairs):
            speeds = [blocking.run(file(server.url, samples)) for server in (capped, uncapped)]
            ratios.append(speeds[0] / speeds[1])
            print(f"  file of {arguments.pair_minutes:g} min: {speeds[0]:.1f} x capped, {speeds[1]:.1f} x without")
    print(f"throughput capped / without: median {np.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main()
