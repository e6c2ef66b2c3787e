"""How the service behaves: first request, requests at once, a killed worker, a long file. Prints one line a figure.

    .venv/bin/python -m benchmarks.load.service [--data DIR] [--minutes 45] [--only first,batching,recovery,long]

Every figure is measured against a real embedded Triton with whisper base.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import resource
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tritonclient.grpc as grpcclient
from tests.harness.paths import DATA

from benchmarks.quality.corpus import Recording, join, load
from benchmarks.quality.scoring import recall
from triscribe import blocking
from triscribe.media.decoding import Decoded
from triscribe.serving import EmbeddedTriton
from triscribe.serving.supervisor import State
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.triton.session import Session
from triscribe.types import SAMPLE_RATE, Samples

OPTIONS = TranscribeOptions(language="en")


async def text_of(url: str, samples: Samples) -> str:
    """One recording through a connection of its own."""
    async with Session(url) as session:
        transcript = await Transcriber(url, OPTIONS).transcribe_in(session, Decoded(samples))
    return transcript.text


def first_request(recordings: list[Recording]) -> None:
    """A fresh server's first request beside the same one warm."""
    ratios = []
    for _ in range(3):
        started = time.monotonic()
        with EmbeddedTriton() as server:
            up = time.monotonic() - started
            took = []
            for _ in range(6):
                started = time.monotonic()
                blocking.run(text_of(server.url, recordings[0].samples))
                took.append(time.monotonic() - started)
        ratios.append(took[0] / statistics.median(took[1:]))
        print(f"start {up:.1f} s, first {took[0]:.3f} s, warm {statistics.median(took[1:]):.3f} s, x {ratios[-1]:.2f}")
    print(f"first request / warm: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


def batching(recordings: list[Recording]) -> None:
    """Sixteen requests at once beside one by one: Triton's executions, and whether the results are equal."""
    chosen = [recording.samples for recording in recordings[:16]]
    with EmbeddedTriton() as server, grpcclient.InferenceServerClient(server.url) as client:

        def counts() -> tuple[int, int]:
            statistics_ = client.get_inference_statistics("whisper-base").model_stats[0]
            return statistics_.inference_count, statistics_.execution_count

        async def at_once() -> list[str]:
            return list(await asyncio.gather(*(text_of(server.url, samples) for samples in chosen)))

        before = counts()
        started = time.monotonic()
        together = blocking.run(at_once())
        took = time.monotonic() - started
        after = counts()
        started = time.monotonic()
        single = [blocking.run(text_of(server.url, samples)) for samples in chosen]
        took_single = time.monotonic() - started
    print(
        f"16 at once: {after[0] - before[0]} inferences in {after[1] - before[1]} executions, equal to one by one: "
        f"{together == single}; {took:.1f} s against {took_single:.1f} s, x {took_single / took:.2f}"
    )


def recovery(recordings: list[Recording]) -> None:
    """Each worker killed with -9 while a job runs: how long until the service is back, and the job's text."""
    joined = join(recordings[:20]).samples
    with EmbeddedTriton() as server:
        supervisor = server.supervisor
        undisturbed = blocking.run(text_of(server.url, joined))
        for index in range(4):

            async def disturbed(index: int = index) -> tuple[str, float]:
                job = asyncio.create_task(text_of(server.url, joined))
                await asyncio.sleep(3)
                assert supervisor.process is not None
                pids = [*sorted(supervisor.process.stubs()), supervisor.process.pid]
                os.kill(pids[index], signal.SIGKILL)
                killed = time.monotonic()
                await wait_for(lambda: supervisor.state is State.RESTARTING)
                await wait_for(lambda: supervisor.state is State.SERVING)
                back = time.monotonic() - killed
                return await job, back

            started = time.monotonic()
            text, back = blocking.run(disturbed())
            name = "tritonserver" if index == 3 else f"worker {index}"
            took = time.monotonic() - started
            same = text == undisturbed
            print(f"{name} killed: job done after {took:.1f} s, serving again by {back:.1f} s, same text: {same}")


async def wait_for(condition: Callable[[], bool]) -> None:
    """Poll until it holds."""
    while not condition():  # noqa: ASYNC110 - the supervisor is a thread
        await asyncio.sleep(0.05)


def long_file(recordings: list[Recording], minutes: float) -> None:
    """Joined speech of that length: speed, memory of this process, and whether every part arrived."""
    base = join(recordings)
    times = math.ceil(minutes * 60 * SAMPLE_RATE / len(base.samples))
    samples = np.tile(base.samples, times)
    with EmbeddedTriton() as server:
        started = time.monotonic()
        text = blocking.run(text_of(server.url, samples))
        took = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = len(samples) / SAMPLE_RATE
    found = recall(" ".join([base.reference] * times), text)
    print(
        f"{seconds / 60:.1f} min: {took:.0f} s, {seconds / took:.1f} x real time, client peak {peak:.2f} GB, "
        f"{100 * found:.2f} % of {times} times the reference words found"
    )


def main() -> None:
    """Run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--only", default="first,batching,recovery,long")
    arguments = parser.parse_args()
    recordings = load(arguments.data / "asr", {"en"})
    chosen = arguments.only.split(",")
    if "first" in chosen:
        first_request(recordings)
    if "batching" in chosen:
        batching(recordings)
    if "recovery" in chosen:
        recovery(recordings)
    if "long" in chosen:
        long_file(recordings, arguments.minutes)


if __name__ == "__main__":
    main()
