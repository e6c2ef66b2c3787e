"""Offered load from a half to four times the capacity: what is done, what is refused, how long each waits.

    .venv/bin/python -m benchmarks.load.overload [--write] [--seconds 45] [--model base]
    .venv/bin/python -m benchmarks.load.overload --quick

Requests are pieces of real speech, 2 to 23 s. At each level they come at random moments (Poisson) whether or not the
server keeps up, without the client's retries, so that every refusal is seen. The capacity (closed loop) is measured
before and after each level, since a shared machine is not equally fast for twenty minutes, and a level is compared
with the mean of both. A shorter pass goes through the gateway. Takes the machine for itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tests.harness.audio import clips, wav
from tests.harness.gateway import gateway_process
from tests.harness.processes import Tree, polled

from benchmarks.page import DOCS, markdown_table, write_section
from triscribe.client import AsyncClient, RecognitionOptions
from triscribe.errors import ServerError
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.triton.connection import RetryPolicy, TritonConnection
from triscribe.types import SAMPLE_RATE, Chunk, Samples

FACTORS = (0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
GATEWAY_FACTORS = (0.75, 1.5, 3.0)
IN_FLIGHT = 32
"""Of the closed loop: as many as the queue lets in on two cores; with fewer, groups are smaller and less is done."""
RAMP_S = 15.0
"""Of each level, not counted: the queue grows until what is answered has waited as long as anything may: 10 s."""
LATEST_S = 30.0
"""The deadline of a patient caller: 99 of 100 accepted requests are answered by then."""
REFUSED_WITHIN_S = 1.0
RECOVERED_WITHIN_S = 30.0

Send = Callable[[Samples], Awaitable[object]]
"""One request; raises a ServerError for a refusal."""


@dataclass
class Level:
    """What was seen at one level: audio seconds a second, shares, seconds and MB; `capacity` is that around it."""

    factor: float
    capacity: float = float("nan")
    offered: float = 0.0
    goodput: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    hints: int = 0
    others: list[str] = field(default_factory=list)
    queue_s: float = 0.0
    peak_mb: float = 0.0
    recovery_s: float = float("nan")

    @property
    def share(self) -> float:
        """Goodput as a share of the capacity around this level."""
        return self.goodput / self.capacity

    @property
    def refused(self) -> float:
        """Share of the requests."""
        return len(self.refusals) / max(1, len(self.refusals) + len(self.latencies) + len(self.others))


class Load:
    """Requests to one door, and what is looked at meanwhile."""

    def __init__(self, send: Send, pieces: Sequence[Samples], server: EmbeddedTriton) -> None:
        self._send, self._pieces, self._server = send, pieces, server
        self._random = np.random.default_rng(0)
        self._round: list[Samples] = []
        process = server.supervisor.process
        assert process is not None
        self._tree = Tree([process.pid])

    def _next(self) -> Samples:
        """Every piece once in each round, so that no level gets shorter ones than another."""
        if not self._round:
            self._round = [self._pieces[index] for index in self._random.permutation(len(self._pieces))]
        return self._round.pop()

    async def capacity(self, seconds: float) -> float:
        """Audio seconds a second with `IN_FLIGHT` callers who each wait for their answer."""
        started, done_s = time.monotonic(), 0.0

        async def caller() -> None:
            nonlocal done_s
            while time.monotonic() < started + RAMP_S + seconds:
                piece = self._next()
                try:
                    await self._send(piece)
                except ServerError:
                    await asyncio.sleep(0.2)
                    continue
                if started + RAMP_S <= time.monotonic() < started + RAMP_S + seconds:
                    done_s += len(piece) / SAMPLE_RATE

        await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
        return done_s / seconds

    async def alone(self) -> float:
        """Seconds of one request; a refusal counts as endless."""
        began = time.monotonic()
        try:
            await self._send(self._pieces[0])
        except ServerError:
            return float("inf")
        return time.monotonic() - began

    async def level(self, factor: float, capacity: float, idle_s: float, seconds: float) -> Level:
        """Poisson arrivals of `factor` times the capacity for so many seconds after the ramp."""
        seen = Level(factor)
        mean_s = sum(map(len, self._pieces)) / len(self._pieces) / SAMPLE_RATE
        rate = factor * capacity / mean_s
        started = time.monotonic()
        end, window = started + RAMP_S + seconds, (started + RAMP_S, started + RAMP_S + seconds)
        offered_s = done_s = 0.0

        async def one(piece: Samples) -> None:
            nonlocal done_s
            began = time.monotonic()
            counts = began >= window[0]
            try:
                await self._send(piece)
            except ServerError as error:
                if error.code != "RESOURCE_EXHAUSTED":
                    seen.others.append(f"{error.code}: {error}")
                elif counts:
                    seen.refusals.append(time.monotonic() - began)
                    seen.hints += bool(error.retry_after_s)
                return
            if counts:
                seen.latencies.append(time.monotonic() - began)
            if window[0] <= time.monotonic() < window[1]:
                done_s += len(piece) / SAMPLE_RATE

        def look() -> None:
            self._tree.memory_mb()
            seen.queue_s = max(seen.queue_s, waiting_s(self._server))

        self._tree.peak_mb = 0.0
        with polled(look, 2.0):
            due, tasks = started, []
            while (due := due + self._random.exponential(1 / rate)) < end:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                piece = self._next()
                if due >= window[0]:
                    offered_s += len(piece) / SAMPLE_RATE
                tasks.append(asyncio.create_task(one(piece)))
            await asyncio.sleep(max(0.0, end - time.monotonic()))
            for _ in range(200):
                if await self.alone() <= 2 * idle_s or time.monotonic() > end + 4 * RECOVERED_WITHIN_S:
                    break
                await asyncio.sleep(0.2)
            seen.recovery_s = time.monotonic() - end
            await asyncio.gather(*tasks)
        seen.offered, seen.goodput = offered_s / seconds, done_s / seconds
        seen.peak_mb = self._tree.peak_mb
        return seen


def waiting_s(server: EmbeddedTriton) -> float:
    """Audio seconds in the queues, from Triton's metrics."""
    url = f"http://{server.ports.host}:{server.ports.metrics}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith("triscribe_waiting_audio_seconds")))


@dataclass
class Curve:
    """All levels of one door."""

    name: str
    idle_s: float
    levels: list[Level] = field(default_factory=list)


async def measure(name: str, load: Load, factors: Sequence[float], seconds: float) -> Curve:
    """The capacity, the latency of a single request, then each level."""
    before = await load.capacity(seconds / 2)
    idle_s = float(np.median([await load.alone() for _ in range(7)]))
    print(f"{name}: a 3 s clip alone {1e3 * idle_s:.0f} ms\n  {'; '.join(COLUMNS)}", flush=True)
    curve = Curve(name, idle_s)
    for factor in factors:
        level = await load.level(factor, before, idle_s, seconds)
        after = await load.capacity(seconds / 2)
        level.capacity, before = (before + after) / 2, after
        curve.levels.append(level)
        print(f"  {'; '.join(row(level))}", flush=True)
        print("".join(f"    {said}\n" for said in sorted(set(level.others))[:3]), end="", flush=True)
    return curve


COLUMNS: tuple[str, ...] = (
    "offered",
    "audio s/s",
    "capacity",
    "goodput / capacity",
    "refused",
    "told within (p50, p99)",
    "with a hint",
)
COLUMNS += ("accepted p50, p99", "queue", "memory", "recovered in")


def row(level: Level) -> list[str]:
    """One level for people."""
    told = _percentiles(level.refusals, 1e3, "ms") if level.refusals else "-"
    return [
        f"{level.factor:g} x",
        f"{level.offered:.1f}",
        f"{level.capacity:.1f}",
        f"{level.share:.2f}",
        f"{100 * level.refused:.0f} %",
        told,
        f"{100 * level.hints / len(level.refusals):.0f} %" if level.refusals else "-",
        _percentiles(level.latencies, 1, "s"),
        f"{level.queue_s:.0f} s",
        f"{level.peak_mb:.0f} MB",
        f"{level.recovery_s:.1f} s",
    ]


def _percentiles(values: Sequence[float], scale: float, unit: str) -> str:
    p50, p99 = np.percentile(values or [float("nan")], (50, 99)) * scale
    return f"{p50:.0f}, {p99:.0f} {unit}" if unit == "ms" else f"{p50:.1f}, {p99:.1f} {unit}"


def missed(curve: Curve, *, quick: bool) -> list[str]:
    """Expectations that do not hold. A quick run is too short for goodput and for the refusals of small overloads."""
    found = []
    lowest_mb = min(level.peak_mb for level in curve.levels)
    for level in curve.levels:
        where = f"{curve.name} at {level.factor:g} x"
        checks = {
            "no other errors": not level.others,
            "nothing refused below capacity": level.offered > 0.95 * level.capacity or not level.refusals,
            "refused above capacity": quick or level.factor < 2 or bool(level.refusals),
            "goodput within 10 % of capacity": quick or level.factor < 1.25 or level.share >= 0.9,
            "refusals come quickly": not level.refusals or np.percentile(level.refusals, 99) <= REFUSED_WITHIN_S,
            "every refusal has a hint": level.hints == len(level.refusals),
            "accepted latency bounded": np.percentile(level.latencies, 99) <= LATEST_S,
            "memory bounded": level.peak_mb <= 1.25 * lowest_mb,
            "recovery within seconds": level.recovery_s <= RECOVERED_WITHIN_S,
        }
        found += [f"{where}: {name}: missed" for name, holds in checks.items() if not holds]
    return found


def plot(path: Path, curves: Sequence[Curve]) -> None:
    """Goodput, refusals and latencies against what was offered."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    done, refused, waited = figure.subplots(1, 3)
    for curve in curves:
        offered = [level.offered / level.capacity for level in curve.levels]
        done.plot(offered, [level.share for level in curve.levels], "o-", label=curve.name)
        refused.plot(offered, [100 * level.refused for level in curve.levels], "o-", label=curve.name)
        for percent, style in ((50, "o-"), (99, "o:")):
            values = [np.percentile(level.latencies, percent) for level in curve.levels]
            waited.plot(offered, values, style, label=f"{curve.name}, p{percent}")
    done.axhline(1.0, color="grey", linestyle=":")
    done.set(ylabel="goodput / capacity", ylim=(0, None))
    refused.set(ylabel="refused, %", ylim=(0, 100))
    waited.set(ylabel="latency of the accepted, s", ylim=(0, None))
    for axes in (done, refused, waited):
        axes.set_xlabel("offered / capacity")
        axes.legend()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def write(curves: Sequence[Curve], seconds: float) -> None:
    """Into docs/reliability.md."""
    plot(DOCS / "reliability" / "overload.svg", curves)
    parts = [f"{os.cpu_count()} cores, {seconds:.0f} s a level."]
    for curve in curves:
        parts.append(f"{curve.name}; a 3 s clip alone {1e3 * curve.idle_s:.0f} ms.")
        parts.append(markdown_table(COLUMNS, [row(level) for level in curve.levels]))
    parts.append("![offered load against goodput, refusals and latency](reliability/overload.svg)")
    write_section("reliability.md", "overload", "\n\n".join(parts))


async def through_triton(
    server: EmbeddedTriton, pieces: Sequence[Samples], factors: Sequence[float], seconds: float
) -> Curve:
    """Straight to Triton."""
    async with TritonConnection(server.url, retry=RetryPolicy(give_up_after_s=0)) as connection:

        async def send(piece: Samples) -> None:
            await connection.transcribe(Chunk(0, 0.0, piece), {"language": "en"}, timeout_s=120)

        return await measure("Triton", Load(send, pieces, server), factors, seconds)


async def through_gateway(
    server: EmbeddedTriton, address: str, pieces: Sequence[Samples], factors: Sequence[float], seconds: float
) -> Curve:
    """`Recognize`, which does not retry."""
    files = {id(piece): wav(piece) for piece in pieces}
    async with AsyncClient(address) as client:

        async def send(piece: Samples) -> None:
            await client.recognize(files[id(piece)], RecognitionOptions(language="en"), timeout_s=120)

        return await measure("gateway", Load(send, pieces, server), factors, seconds)


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base")
    parser.add_argument("--seconds", type=float, default=45.0, help="of each level")
    parser.add_argument("--quick", action="store_true", help="three levels, four minutes")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    factors: Sequence[float]
    gateway_factors: Sequence[float]
    factors, gateway_factors, seconds = FACTORS, GATEWAY_FACTORS, arguments.seconds
    if arguments.quick:
        factors, gateway_factors, seconds = (0.5, 4.0), (3.0,), 12.0
    pieces = clips([], 8)
    with EmbeddedTriton(ServeOptions(models=(arguments.model,))) as server:
        curves = [asyncio.run(through_triton(server, pieces, factors, seconds))]
        with gateway_process(server.url) as gateway:
            curves.append(asyncio.run(through_gateway(server, gateway.address, pieces, gateway_factors, seconds)))
    found = [line for curve in curves for line in missed(curve, quick=arguments.quick)]
    print("\n".join(found or ["all expectations hold"]))
    if arguments.write:
        write(curves, seconds)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
