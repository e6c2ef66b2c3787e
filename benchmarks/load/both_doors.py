"""The HTTP door beside the gRPC door: throughput of many callers, the cost of one call, the first text of a long one.

    .venv/bin/python -m benchmarks.load.both_doors [--model tiny.en] [--callers 32] [--clips 2] [--rounds 4]
        [--pairs 30] [--minutes 10]

Starts a Triton and a gateway, each a process of its own. In each round every caller sends clips of the sample
conversation through one door and then through the other, in turn which comes first; the callers are in this process,
and come back when they are told to.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import openai
import psutil
from tests.harness.audio import clips, conversation, wav
from tests.harness.gateway import gateway_process
from tests.harness.ports import free_port

from triscribe.client import AsyncClient, RecognitionOptions
from triscribe.errors import ResourceExhaustedError
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.types import SAMPLE_RATE

SHORT_CLIPS = 5
"""Of the sample: 2 to 9 s long."""


@dataclass(frozen=True)
class Load:
    """How many callers send how many clips each, how often through both doors."""

    callers: int
    clips: int
    rounds: int


def main() -> None:
    """Start both servers and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--clips", type=int, default=2, help="of each caller in a round")
    parser.add_argument("--rounds", type=int, default=4, help="0: no throughput")
    parser.add_argument("--pairs", type=int, default=30, help="of calls, for the cost of one")
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    options = ServeOptions(models=(arguments.model,))
    with EmbeddedTriton(options) as triton, gateway_process(triton.url, http_port=free_port()) as gateway:
        doors = (gateway.address, f"http://{gateway.http_address}/v1", arguments.model)
        if arguments.rounds:
            asyncio.run(throughput(*doors, Load(arguments.callers, arguments.clips, arguments.rounds)))
        asyncio.run(cost(*doors, psutil.Process(gateway.process.pid), arguments.pairs))
        asyncio.run(first_event(*doors, arguments.minutes))


async def throughput(grpc: str, http: str, model: str, load: Load) -> None:
    """Seconds of audio answered in a second through each door, and the ratio of each round."""
    recordings = clips([], SHORT_CLIPS)
    sent = [(wav(samples), len(samples) / SAMPLE_RATE) for samples in recordings]
    audio_s = sum(sent[number % len(sent)][1] for number in range(load.callers * load.clips))
    async with AsyncClient(grpc) as ours, openai.AsyncOpenAI(base_url=http, api_key="any", max_retries=0) as theirs:

        async def through_grpc(data: bytes) -> str:
            while True:
                try:
                    return (await ours.recognize(data, RecognitionOptions(model=model))).text
                except ResourceExhaustedError as error:
                    await asyncio.sleep(error.retry_after_s or 1.0)

        async def through_http(data: bytes) -> str:
            while True:
                try:
                    return (await theirs.audio.transcriptions.create(file=("a", data), model=model)).text
                except openai.RateLimitError as error:
                    await asyncio.sleep(float(error.response.headers["retry-after-ms"]) / 1000)

        async def one_round(ask: Callable[[bytes], Awaitable[str]]) -> tuple[float, list[str]]:
            async def caller(number: int) -> list[str]:
                return [await ask(sent[(number * load.clips + n) % len(sent)][0]) for n in range(load.clips)]

            started = time.perf_counter()
            texts = await asyncio.gather(*map(caller, range(load.callers)))
            return audio_s / (time.perf_counter() - started), list(itertools.chain(*texts))

        await one_round(through_grpc)  # warm
        ratios = []
        for number in range(load.rounds):
            order = (through_grpc, through_http) if number % 2 else (through_http, through_grpc)
            figures = {ask.__name__: await one_round(ask) for ask in order}
            (rate_grpc, texts_grpc), (rate_http, texts_http) = figures["through_grpc"], figures["through_http"]
            ratios.append(rate_http / rate_grpc)
            equal = "equal" if texts_grpc == texts_http else "DIFFERENT"
            print(f"round {number}: gRPC {rate_grpc:.1f}, HTTP {rate_http:.1f} times real time; texts {equal}")
    print(f"{load.callers} callers: HTTP / gRPC, median of {load.rounds}: {statistics.median(ratios):.3f}")


async def cost(grpc: str, http: str, model: str, gateway: psutil.Process, pairs: int) -> None:
    """What one call costs through each door, asked in turn so that other work on the machine meets both alike."""
    data = wav(clips([], 1)[0])
    seconds: dict[str, list[float]] = {"gRPC": [], "HTTP": []}
    computing: dict[str, list[float]] = {"gRPC": [], "HTTP": []}
    async with AsyncClient(grpc) as ours, openai.AsyncOpenAI(base_url=http, api_key="any") as theirs:
        for number in range(pairs + 1):
            for door in ("gRPC", "HTTP"):
                before_s, started = computed_s(gateway), time.perf_counter()
                if door == "gRPC":
                    await ours.recognize(data, RecognitionOptions(model=model))
                else:
                    await theirs.audio.transcriptions.create(file=("a", data), model=model)
                if number:  # the first pair warms up
                    seconds[door].append(time.perf_counter() - started)
                    computing[door].append(computed_s(gateway) - before_s)
    for door in seconds:
        wall_ms, cpu_ms = (1000 * statistics.median(figures[door]) for figures in (seconds, computing))
        print(f"one call, {door}: {wall_ms:.0f} ms, of which the gateway computes {cpu_ms:.0f} ms (medians of {pairs})")


def computed_s(process: psutil.Process) -> float:
    """Seconds of CPU that a process and its decoders have used."""
    times = [process.cpu_times(), *(child.cpu_times() for child in process.children())]
    return sum(one.user + one.system for one in times) + times[0].children_user + times[0].children_system


async def first_event(grpc: str, http: str, model: str, minutes: float) -> None:
    """Seconds until the first text of a long recording, and until its end, through each door."""
    data = wav(conversation(minutes))
    client = openai.AsyncOpenAI(base_url=http, api_key="any", timeout=3600)
    started = time.perf_counter()
    first_s = 0.0
    async for event in await client.audio.transcriptions.create(file=("a", data), model=model, stream=True):
        if not first_s and event.type == "transcript.text.delta":
            first_s = time.perf_counter() - started
    print(f"{minutes:g} min, HTTP: first text after {first_s:.1f} s, end after {time.perf_counter() - started:.1f} s")
    firsts: list[float] = []
    started = time.perf_counter()
    async with AsyncClient(grpc) as ours:
        note = lambda _: firsts.append(time.perf_counter() - started)  # noqa: E731
        await ours.transcribe(data, RecognitionOptions(model=model), final=note)
    print(f"{minutes:g} min, gRPC: first text after {firsts[0]:.1f} s, end after {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
