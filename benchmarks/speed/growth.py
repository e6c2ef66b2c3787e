"""Cost as the work grows: files of 1, 10 and 100 minutes, and 1, 4, 16 and 64 callers. Time, memory, and their shape.

    .venv/bin/python -m benchmarks.speed.growth [--minutes 1,10,100] [--callers 1,4,16,64] [--out DIR]
    .venv/bin/python -m benchmarks.speed.growth --quick

Files go through the command line's own client, in a process of its own; callers each have a connection and send their
requests one after the other. Memory is the proportional set size (shared pages once) of the client and of Triton with
all its workers, looked at four times a second. Writes growth.csv and growth.png.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import itertools
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tests.harness.audio import clips, conversation, wav
from tests.harness.paths import COMMAND
from tests.harness.processes import Tree, polled

from triscribe import blocking
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.triton.connection import TritonConnection
from triscribe.types import SAMPLE_RATE, Chunk

CLIPS_EACH = 4
"""Requests of one caller."""


@dataclass(frozen=True)
class Cost:
    """What an amount of work took: `amount` minutes or callers, seconds, MB at the peak, ms of a single request."""

    kind: str
    amount: float
    audio_s: float
    took_s: float
    client_mb: float
    server_mb: float
    server_after_mb: float
    p50_ms: float = float("nan")
    p99_ms: float = float("nan")


def file_cost(server: EmbeddedTriton, minutes: float, work: Path) -> Cost:
    """One file through `triscribe transcribe --server`."""
    samples = conversation(minutes)
    path = work / f"{minutes:g}.wav"
    path.write_bytes(wav(samples))
    command = [COMMAND, "transcribe", "--server", server.url]
    command += ["--language", "en", "--format", "json", "--output-dir", str(work / "out"), str(path)]
    serving = Tree([_pid(server)])
    started = time.monotonic()
    with subprocess.Popen(command) as process:
        client = Tree([process.pid])
        with polled(client.memory_mb, 0.25), polled(serving.memory_mb, 0.25):
            process.wait()
    took = time.monotonic() - started
    if process.returncode:
        raise SystemExit(f"triscribe transcribe ended with status {process.returncode}")
    path.unlink()
    audio_s = len(samples) / SAMPLE_RATE
    return Cost("minutes", minutes, audio_s, took, client.peak_mb, serving.peak_mb, serving.memory_mb())


def callers_cost(server: EmbeddedTriton, callers: int) -> Cost:
    """So many callers at once, each with a connection of its own."""
    pieces = clips([], 8)
    latencies: list[float] = []

    async def caller(index: int) -> None:
        async with TritonConnection(server.url) as connection:
            for turn in range(CLIPS_EACH):
                samples = pieces[(index * CLIPS_EACH + turn) % len(pieces)]
                started = time.monotonic()
                await connection.transcribe(Chunk(0, 0.0, samples), {"language": "en"}, timeout_s=600)
                latencies.append(time.monotonic() - started)

    async def everybody() -> None:
        await asyncio.gather(*(caller(index) for index in range(callers)))

    serving = Tree([_pid(server)])
    started = time.monotonic()
    with polled(serving.memory_mb, 0.25):
        blocking.run(everybody())
    took = time.monotonic() - started
    count = callers * CLIPS_EACH
    audio_s = sum(len(pieces[index % len(pieces)]) for index in range(count)) / SAMPLE_RATE
    percentiles = np.percentile(latencies, (50, 99)) * 1e3
    return Cost("callers", callers, audio_s, took, 0.0, serving.peak_mb, serving.memory_mb(), *map(float, percentiles))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base")
    parser.add_argument("--minutes", default="1,10,100")
    parser.add_argument("--callers", default="1,4,16,64")
    parser.add_argument("--out", type=Path, default=Path("out/growth"))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.minutes, arguments.callers = "1,4", "1,4"
    costs = []
    with (
        tempfile.TemporaryDirectory(prefix="triscribe-growth-") as work,
        EmbeddedTriton(ServeOptions(models=(arguments.model,))) as server,
    ):
        print(f"{arguments.model}; the server before any work: {Tree([_pid(server)]).memory_mb():.0f} MB")
        callers_cost(server, 2)  # what is allocated once, at the first use
        for amount in filter(None, arguments.callers.split(",")):
            costs.append(callers_cost(server, int(amount)))
            _show(costs[-1])
        for amount in filter(None, arguments.minutes.split(",")):
            costs.append(file_cost(server, float(amount), Path(work)))
            _show(costs[-1])
    for kind in ("callers", "minutes"):
        _shape([cost for cost in costs if cost.kind == kind])
    arguments.out.mkdir(parents=True, exist_ok=True)
    _write(arguments.out, costs)
    print(f"Written: {arguments.out / 'growth.csv'}, {arguments.out / 'growth.png'}")


def _pid(server: EmbeddedTriton) -> int:
    process = server.supervisor.process
    assert process is not None
    return process.pid


def _show(cost: Cost) -> None:
    latency = "" if np.isnan(cost.p50_ms) else f", p50 {cost.p50_ms:.0f} ms, p99 {cost.p99_ms:.0f} ms"
    client = f"client {cost.client_mb:.0f} MB, " if cost.client_mb else ""
    print(
        f"{cost.amount:g} {cost.kind}: {cost.audio_s:.0f} s of audio in {cost.took_s:.1f} s, "
        f"{cost.audio_s / cost.took_s:.1f} x{latency}; {client}server {cost.server_mb:.0f} MB at the peak, "
        f"{cost.server_after_mb:.0f} MB afterwards",
        flush=True,
    )


def _shape(costs: Sequence[Cost]) -> None:
    """How time grows between the smallest and each larger amount: the exponent of a power law, 1 is linear."""
    for small, large in itertools.pairwise(costs):
        factor = large.audio_s / small.audio_s
        slower = large.took_s / small.took_s
        exponent = np.log(slower) / np.log(factor)
        print(
            f"{small.amount:g} to {large.amount:g} {small.kind}: {factor:.1f} x the audio, "
            f"{slower:.1f} x the time (exponent {exponent:.2f}), client {large.client_mb - small.client_mb:+.0f} MB, "
            f"server {large.server_mb - small.server_mb:+.0f} MB"
        )


def _write(out: Path, costs: Sequence[Cost]) -> None:
    with (out / "growth.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Cost)])
        writer.writeheader()
        writer.writerows(asdict(cost) for cost in costs)
    figure = Figure(figsize=(11, 7), layout="constrained")
    grid = figure.subplots(2, 2)
    for row, kind in enumerate(("minutes", "callers")):
        chosen = [cost for cost in costs if cost.kind == kind]
        if not chosen:
            continue
        amounts = [cost.amount for cost in chosen]
        times, memory = grid[row]
        times.loglog(amounts, [cost.took_s for cost in chosen], "o-", label="seconds in all")
        ideal = [chosen[0].took_s * cost.audio_s / chosen[0].audio_s for cost in chosen]
        times.loglog(amounts, ideal, ":", color="grey", label="linear")
        memory.semilogx(amounts, [cost.server_mb for cost in chosen], "o-", label="server, peak")
        if chosen[0].client_mb:
            memory.semilogx(amounts, [cost.client_mb for cost in chosen], "o-", label="client, peak")
        memory.set(ylim=(0, None), ylabel="MB", xlabel=kind)
        times.set(ylabel="seconds", xlabel=kind)
        times.legend()
        memory.legend()
    figure.savefig(out / "growth.png", dpi=120)


if __name__ == "__main__":
    main()
