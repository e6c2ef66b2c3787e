"""Thousands of mixed requests against one server: nothing grows, nobody hears another's text. Then start and stop.

    .venv/bin/python -m benchmarks.reliability.soak [--write] [--requests 2000] [--cycles 50]
    .venv/bin/python -m benchmarks.reliability.soak --quick

Lengths of 0.3 to 29 s, two checkpoints, languages, options, word times; cancelled half-way, expired, invalid, silent;
straight to Triton, through the gateway and through the command line. Every 50 requests all rest: a fixed clip is timed,
and memory (proportional set size), threads, open files, children and shared memory of every process are noted.
Model control is closed in our Triton, so loading and unloading a model is starting and stopping the server.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
from matplotlib.figure import Figure
from tests.harness.gateway import gateway_process

from benchmarks.page import DOCS, markdown_table, write_section
from benchmarks.reliability.soak.requests import Mix
from benchmarks.reliability.soak.watch import Sample, Watch, left_mb, triton_files
from triscribe.serving import EmbeddedTriton, ServeOptions

PER_ROUND = 50
AT_ONCE = 6
MODELS = ("base", "tiny.en")
SLOPE_MB = 1.0
"""Growth of a process for 100 requests that is taken for noise, fitted over the last half less its largest step: a heap
is extended by 64 MB at once (docs/adr/0017-allocator.md) when a group is larger than all before. A leak has many."""
SLOWER = 1.5
"""Of the fixed clip, last quarter against first: more than the noise of a shared machine."""


async def soak(mix: Mix, watch: Watch, requests: int) -> tuple[list[Sample], Counter[str]]:
    """All the requests, in rounds; what was noted after each, and how often each kind was sent."""
    kinds: Counter[str] = Counter()
    slots = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with slots:
            kinds[await mix.one()] += 1

    samples = []
    for start in range(0, requests, PER_ROUND):
        await asyncio.gather(*(one() for _ in range(min(PER_ROUND, requests - start))))
        await asyncio.sleep(0.5)  # what was cancelled ends
        times = [await mix.probe() for _ in range(3)]
        samples.append(watch.sample(start + PER_ROUND, float(np.median(times))))
        print(samples[-1].line(), flush=True)
    return samples, kinds


def slope(samples: Sequence[Sample], values: Sequence[float]) -> float:
    """Growth for 100 requests, fitted."""
    return 100 * float(np.polyfit([sample.requests for sample in samples], values, 1)[0])


def without_largest_step(values: Sequence[float]) -> list[float]:
    """The same curve, lowered after its largest rise from one round to the next by just that rise."""
    rises = np.diff(values)
    largest = int(np.argmax(rises))
    return [*values[: largest + 1], *(value - max(0.0, rises[largest]) for value in values[largest + 1 :])]


def judge(samples: Sequence[Sample], mix: Mix, *, quick: bool) -> tuple[list[list[str]], list[str]]:
    """The table of processes, and what was expected and is not so."""
    half = samples[len(samples) // 2 :]
    rows, missed = [], list(mix.wrong)
    for name in sorted(half[-1].processes):
        seen = [sample.processes[name] for sample in half if name in sample.processes]
        memory = [process.memory_mb for process in seen]
        grows = slope(half, without_largest_step(memory)) if len(seen) == len(half) > 1 else float("nan")
        spreads = [f"{min(v)} to {max(v)}" for v in ([p.threads for p in seen], [p.files for p in seen])]
        rows.append([name, f"{memory[-1]:.0f}", f"{grows:+.2f}", f"{max(memory) - min(memory):.1f}", *spreads])
        if not quick and not grows <= SLOPE_MB:
            missed.append(f"{name} grows by {grows:.2f} MB for 100 requests")
        third = max(1, len(seen) // 3)
        for what in ("threads", "files", "children"):
            # The least that was ever seen again: pools and connections come and go.
            early, late = (min(getattr(p, what) for p in part) for part in (seen[:third], seen[-third:]))
            if late > early + (8 if what == "threads" and quick else 2):
                missed.append(f"{name}: {what} grew from {early} to {late}")
    shared = [sample.shared_mb for sample in half]
    rows.append(
        ["shared memory", f"{shared[-1]:.0f}", f"{slope(half, shared):+.2f}", f"{np.ptp(shared):.1f}", "-", "-"]
    )
    if not quick and slope(half, shared) > SLOPE_MB:
        missed.append(f"shared memory grows: {shared[0]:.0f} to {shared[-1]:.0f} MB")
    first, last = quarters(samples)
    if not quick and last > SLOWER * first:
        missed.append(f"the fixed clip became slower: {first:.2f} s to {last:.2f} s")
    return rows, missed


def quarters(samples: Sequence[Sample]) -> tuple[float, float]:
    """Median seconds of the fixed clip in the first quarter and in the last."""
    count = max(1, len(samples) // 4)
    parts = (samples[:count], samples[-count:])
    return tuple(float(np.median([s.probe_s for s in part])) for part in parts)  # type: ignore[return-value]


async def first_answer(url: str) -> None:
    """The sample's first words, which have to be right."""
    mix = Mix(url, "", MODELS[1:])
    async with mix:
        await mix.probe()
    if mix.wrong:
        raise SystemExit(mix.wrong[0])


def cycles(count: int) -> list[tuple[float, float, int]]:
    """Start, one answer, stop; memory of this process in MB, shared memory left, files open, after each."""
    seen = []
    for _ in range(count):
        before = triton_files()
        with EmbeddedTriton(ServeOptions(models=MODELS[1:])) as server:
            asyncio.run(first_answer(server.url))
        me = psutil.Process()
        if children := me.children(recursive=True):
            raise SystemExit(f"left behind: {children}")
        seen.append((me.memory_full_info().pss / 1e6, left_mb(before), me.num_fds()))
    return seen


def judge_cycles(seen: Sequence[tuple[float, float, int]]) -> tuple[str, list[str]]:
    """What 50 cycles left behind."""
    memory, shared, files = zip(*seen[len(seen) // 2 :], strict=True)
    said = (
        f"{len(seen)} times started and stopped (tiny.en, one answer each): over the last half the starting process "
        f"holds {memory[0]:.0f} to {memory[-1]:.0f} MB, {files[0]} to {files[-1]} open files; shared memory left after "
        f"a stop {max(shared):.1f} MB at most."
    )
    missed = []
    if max(shared) > 0.1:
        missed.append(f"shared memory was left: {max(shared):.1f} MB")
    if files[-1] > files[0] + 2:
        missed.append(f"open files of the starting process: {files[0]} to {files[-1]}")
    if memory[-1] > memory[0] + 15:
        missed.append(f"memory of the starting process: {memory[0]:.0f} to {memory[-1]:.0f} MB")
    return said, missed


def plot(path: Path, samples: Sequence[Sample]) -> None:
    """Memory and the latency of the fixed clip over the requests."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    memory, latency = figure.subplots(1, 2)
    x = [sample.requests for sample in samples]
    for name in sorted(samples[-1].processes):
        values = [s.processes[name].memory_mb if name in s.processes else float("nan") for s in samples]
        memory.plot(x, values, label=name)
    memory.plot(x, [sample.shared_mb for sample in samples], ":", label="shared memory")
    memory.set(ylabel="MB (proportional set size)", xlabel="requests", ylim=(0, None))
    memory.legend(fontsize="x-small")
    latency.plot(x, [1e3 * sample.probe_s for sample in samples], ".-")
    latency.set(ylabel="a fixed clip alone, ms", xlabel="requests", ylim=(0, None))
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="200 requests, 3 cycles; memory is not judged")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.requests, arguments.cycles = 200, 3
    started = time.monotonic()
    with EmbeddedTriton(ServeOptions(models=MODELS)) as server, gateway_process(server.url) as gateway:
        mix = Mix(server.url, gateway.address, MODELS)
        watch = Watch(server)

        async def run() -> tuple[list[Sample], Counter[str]]:
            async with mix:
                await mix.learn()
                return await soak(mix, watch, arguments.requests)

        samples, kinds = asyncio.run(run())
    took = time.monotonic() - started
    rows, missed = judge(samples, mix, quick=arguments.quick)
    growth = "MB for 100 requests, less the largest step"
    columns = ("process", "MB at the end", growth, "most - least MB", "threads", "open files")
    first, last = quarters(samples)
    sent = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    parts = [
        f"{arguments.requests} requests in {took / 60:.1f} min ({sent}); {mix.compared} texts compared, "
        f"{len(mix.wrong)} wrong. Figures of the last half:",
        markdown_table(columns, rows),
        f"A fixed clip alone: {1e3 * first:.0f} ms in the first quarter, {1e3 * last:.0f} ms in the last (medians).",
        "![memory and latency over the requests](reliability/soak.svg)",
    ]
    print("\n\n".join(parts), flush=True)
    if arguments.cycles:
        said, more = judge_cycles(cycles(arguments.cycles))
        parts.append(said)
        missed += more
        print(said)
    print("\n".join(missed or ["all expectations hold"]))
    if arguments.write:
        plot(DOCS / "reliability" / "soak.svg", samples)
        write_section("reliability.md", "soak", "\n\n".join(parts))
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
