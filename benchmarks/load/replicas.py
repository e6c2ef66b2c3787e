"""Two replicas behind the real Envoy: spread, throughput, and what a death or a rolling replacement costs.

    .venv/bin/python -m benchmarks.load.replicas [--model base] [--threads 1] [--minutes 20] [--only spread,…]
    .venv/bin/python -m benchmarks.load.replicas --quick      # one minute of audio instead of twenty, tiny.en

The replicas share this machine's cores, so their throughput is bounded by those. Requests are stretches of the sample
conversation, decoded at temperature 0: without chance, so that "equal to the undisturbed" means something.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from tests.harness.audio import clips, conversation
from tests.harness.replicas import Envoy, Replica, replica_set

from triscribe import blocking
from triscribe.media.decoding import Decoded
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.triton.connection import TritonConnection
from triscribe.triton.session import Session
from triscribe.types import Chunk, ChunkResult, Samples, Transcript

CALLERS = 16
DECODING = {"temperature": [0.0]}

T = TypeVar("T")


async def short_calls(
    url: str,
    count: int,
    *,
    pieces: Sequence[Samples] | None = None,
    callers: int = CALLERS,
    on_result: Callable[[int], None] = lambda done: None,
) -> list[ChunkResult]:
    """`count` chunks, of several lengths or `pieces` in turn, so many at a time; results in order of sending."""
    pieces = pieces or clips([], 8)
    slots, done = asyncio.Semaphore(callers), 0

    async def one(connection: TritonConnection, index: int) -> ChunkResult:
        nonlocal done
        async with slots:
            chunk = Chunk(index, 0.0, pieces[index % len(pieces)])
            result = await connection.transcribe(chunk, {"language": "en", **DECODING}, timeout_s=300)
        done += 1
        on_result(done)
        return result

    async with TritonConnection(url) as connection:
        return list(await asyncio.gather(*(one(connection, index) for index in range(count))))


async def spread(
    replicas: Sequence[Replica], envoy: Envoy, count: int, pieces: Sequence[Samples] | None = None
) -> list[int]:
    """How many of `count` short calls each replica answered."""
    before = [replica.answered() for replica in replicas]
    await short_calls(envoy.url, count, pieces=pieces)
    return [replica.answered() - b for replica, b in zip(replicas, before, strict=True)]


async def harmed_calls(url: str, count: int, harm: Callable[[], None], *, callers: int = CALLERS) -> list[ChunkResult]:
    """`count` short calls; `harm` is done when a quarter of them has been answered."""
    reached = asyncio.Event()
    calls = asyncio.create_task(
        short_calls(url, count, callers=callers, on_result=lambda done: reached.set() if done >= count // 4 else None)
    )
    return await _harmed(calls, reached, harm)


async def rolling_replacement(replicas: Sequence[Replica], envoy: Envoy) -> list[ChunkResult]:
    """Short calls all the time while every replica is stopped and started again, one after the other."""
    replaced = asyncio.Event()

    async def calls() -> list[ChunkResult]:
        results: list[ChunkResult] = []
        while not replaced.is_set():
            results += await short_calls(envoy.url, CALLERS)
        return results

    def replace() -> None:
        for replica in replicas:
            replica.stop()
            replica.start()
            replica.wait_ready()
            envoy.wait_healthy(len(replicas))

    job = asyncio.create_task(calls())
    try:
        await asyncio.to_thread(replace)
    finally:
        replaced.set()
    return await job


async def file(url: str, samples: Samples, progress: Callable[[float, float], None] | None = None) -> Transcript:
    """One recording of any length."""
    options = TranscribeOptions(language="en", decoding=DECODING)
    async with Session(url) as session:
        decoded = Decoded(samples)
        return await Transcriber(url, options).transcribe_in(session, decoded, progress=progress)


async def harmed_file(url: str, samples: Samples, harm: Callable[[], None]) -> Transcript:
    """A recording; `harm` is done when a quarter of it is."""
    reached = asyncio.Event()
    job = asyncio.create_task(file(url, samples, lambda done, total: reached.set() if done >= total / 4 else None))
    return await _harmed(job, reached, harm)


async def _harmed(job: asyncio.Task[T], reached: asyncio.Event, harm: Callable[[], None]) -> T:
    waiting = asyncio.create_task(reached.wait())
    await asyncio.wait({job, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if job.done():  # it failed: nothing is left to be harmed
        return await job
    await asyncio.to_thread(harm)
    return await job


async def timed(call: Awaitable[object]) -> float:
    """Seconds that it takes."""
    started = time.monotonic()
    await call
    return time.monotonic() - started


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base")
    parser.add_argument("--threads", type=int, default=1, help="of each replica")
    parser.add_argument("--minutes", type=float, default=20.0, help="length of the file")
    parser.add_argument("--requests", type=int, default=160)
    parser.add_argument("--only", default="spread,calls,file,rolling")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.model, arguments.minutes, arguments.requests = "tiny.en", 1.0, 48
    chosen = arguments.only.split(",")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(f"{arguments.model}, {arguments.threads} thread(s) a replica, {os.cpu_count()} cores")
    with (
        tempfile.TemporaryDirectory(prefix="triscribe-replicas-") as work,
        replica_set(Path(work), model=arguments.model, threads=arguments.threads) as (replicas, envoy),
    ):
        expected = blocking.run(short_calls(envoy.url, 50))
        if "spread" in chosen:
            _spread(replicas, envoy, arguments.requests)
        if "calls" in chosen:
            results = blocking.run(harmed_calls(envoy.url, 50, replicas[0].kill))
            print(f"kill -9 during 50 short calls: {len(results)} results, all equal: {results == expected}")
            _back(replicas[0], envoy)
        if "file" in chosen:
            _file(replicas[1], envoy, arguments.minutes)
        if "rolling" in chosen:
            results = blocking.run(rolling_replacement(replicas, envoy))
            wrong = sum(got != expected[got.index] for got in results)
            print(f"rolling replacement of both: {len(results)} results meanwhile, {wrong} lost or different")


def _spread(replicas: Sequence[Replica], envoy: Envoy, count: int) -> None:
    counts = blocking.run(spread(replicas, envoy, count))
    print(
        f"{CALLERS} callers, {count} requests: {counts} answered by the replicas, "
        f"each within {100 * (max(counts) / np.mean(counts) - 1):.1f} % of the mean"
    )
    ratios = []
    for _ in range(3):
        one = blocking.run(timed(short_calls(replicas[0].url, count)))
        both = blocking.run(timed(short_calls(envoy.url, count)))
        ratios.append(one / both)
        print(f"  {count / one:.2f} requests/s with one replica, {count / both:.2f} with two: x {ratios[-1]:.2f}")
    print(f"throughput of two replicas / one: median {np.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


def _file(victim: Replica, envoy: Envoy, minutes: float) -> None:
    samples = conversation(minutes)
    started = time.monotonic()
    undisturbed = blocking.run(file(envoy.url, samples))
    took = time.monotonic() - started
    disturbed = blocking.run(harmed_file(envoy.url, samples, victim.kill))
    print(
        f"kill -9 during a file of {minutes:g} min: {time.monotonic() - started - took:.0f} s against {took:.0f} s, "
        f"{len(disturbed.segments)} segments, equal: {disturbed == undisturbed}"
    )
    _back(victim, envoy)


def _back(victim: Replica, envoy: Envoy) -> None:
    """Start it again, as an orchestrator does."""
    started = time.monotonic()
    victim.start()
    victim.wait_ready()
    ready = time.monotonic()
    envoy.wait_healthy(2)
    print(f"  started again: ready after {ready - started:.1f} s, used by Envoy {time.monotonic() - ready:.1f} s later")


if __name__ == "__main__":
    main()
