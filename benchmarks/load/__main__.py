"""Load on a running server with NVIDIA's perf_analyzer: throughput against latency, and where the knee is.

    scripts/load_test [--server HOST:PORT] [--data FILE_OR_FOLDER ...] [--concurrency 1,2,4] [--rates 1,2] [--out DIR]

Without --server it starts one for the time of the test. Requests are real speech of several lengths. First a number of
requests is kept in flight (closed loop), then requests are sent at a rate, at random moments, whether or not the server
keeps up (open loop); without --rates these are shares of the best throughput seen before. Writes load.csv and load.png.
docs/load.md explains the figures.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.harness.audio import clips

from benchmarks.load.input import write_input
from benchmarks.load.report import Mode, Point, first_error, highest_sustained, knee, plot, read_point, table, write_csv
from benchmarks.load.tool import ToolError, perf_analyzer
from triscribe.errors import TriscribeError
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.types import SAMPLE_RATE

RATE_SHARES = (0.4, 0.6, 0.8, 0.9, 1.0, 1.2)
"""Rates to try, as shares of the best closed-loop throughput."""


class LoadTest:
    """Points of load on one server, each by a run of perf_analyzer of its own."""

    def __init__(self, server: str, data: Path, work: Path, *, requests: int, limit_s: float) -> None:
        """`requests` a point at least; a point may take `limit_s` seconds."""
        self._command = [*perf_analyzer(), "-m", "transcribe", "-i", "grpc", "-u", server, "--streaming"]
        self._command += ["--input-data", str(data)]
        self._export = work / "export.json"
        self._requests = requests
        self._limit_s = limit_s

    def in_flight(self, level: int) -> Point:
        """A number of requests in flight; at least four for each, so that starting and ending weigh little."""
        return self._run("concurrency", level, ["--concurrency-range", str(level)], max(self._requests, 4 * level))

    def at_rate(self, level: float) -> Point:
        """Requests a second with exponential gaps: the same gaps at every rate, only scaled."""
        arguments = ["--request-rate-range", f"{level:.3f}", "--request-distribution", "poisson"]
        return self._run("request_rate", level, arguments, self._requests)

    def _run(self, mode: Mode, level: float, arguments: Sequence[str], requests: int) -> Point:
        self._export.unlink(missing_ok=True)
        command = [*self._command, *arguments, "--request-count", str(requests)]
        command += ["--profile-export-file", str(self._export)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=self._limit_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{mode} {level:g} took longer than --limit-s {self._limit_s:g}.") from error
        if done.returncode or not self._export.exists():
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
            raise ToolError(f"perf_analyzer failed at {mode} {level:g}: {' '.join(said)}")
        export = json.loads(self._export.read_text())
        point = read_point(export, mode, level)
        if not point.requests:
            raise ToolError(f"every request was refused at {mode} {level:g}: {first_error(export)}")
        return point


def main() -> None:
    """Run the sweeps and say what was found."""
    arguments = _arguments()
    console = Console(width=118)
    try:
        _sweep(arguments, console)
    except TriscribeError as error:
        console.print(f"Error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/load_test", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", help="HOST:PORT of a running Triton's gRPC; default: start one")
    parser.add_argument("--model", help="checkpoint to serve, or to ask a running server for")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="media files or folders to send pieces of")
    parser.add_argument("--clips", type=int, default=32, help="pieces to take from them")
    parser.add_argument("--options", type=json.loads, default={}, help="request options as JSON (docs/contracts.md)")
    parser.add_argument("--concurrency", type=_numbers(int), default=[1, 2, 4, 8, 16, 32], help="requests in flight")
    parser.add_argument("--rates", type=_numbers(float), help="requests a second; 0 leaves this part out")
    parser.add_argument("--requests", type=int, default=48, help="requests a point, at least")
    parser.add_argument("--limit-s", type=float, default=600.0, help="seconds that a point may take")
    parser.add_argument("--out", type=Path, default=Path("out/load-test"), help="folder for load.csv and load.png")
    return parser.parse_args()


def _numbers(kind: type[int] | type[float]) -> Any:
    def numbers(text: str) -> list[float]:
        return [kind(part) for part in text.split(",")]

    return numbers


def _sweep(arguments: argparse.Namespace, console: Console) -> None:
    pieces = clips(arguments.data, arguments.clips)
    lengths = sorted(len(piece) / SAMPLE_RATE for piece in pieces)
    console.print(
        f"{len(pieces)} clips of {lengths[0]:.1f} to {lengths[-1]:.1f} s, mean {sum(lengths) / len(lengths):.1f} s."
    )
    options = {**arguments.options, **({"model": arguments.model} if arguments.model else {})}
    with tempfile.TemporaryDirectory(prefix="triscribe-load-") as folder, _server(arguments) as server:
        data = Path(folder) / "data.json"
        write_input(data, pieces, options)
        # Every clip equally often.
        requests = math.ceil(arguments.requests / len(pieces)) * len(pieces)
        test = LoadTest(server, data, Path(folder), requests=requests, limit_s=arguments.limit_s)
        points = []
        for level in arguments.concurrency:
            points.append(test.in_flight(level))
            console.print(
                f"{level} in flight: {points[-1].audio_s_per_s:.1f} audio s/s, p50 {points[-1].p50_ms:.0f} ms"
            )
        best = max(point.throughput_rps for point in points)
        rates = arguments.rates or [share * best for share in RATE_SHARES]
        for rate in filter(None, rates):
            points.append(test.at_rate(rate))
            console.print(f"{points[-1].offered_rps:.2f} a second: p50 {points[-1].p50_ms:.0f} ms")
    _report(points, server if arguments.server else "an embedded server", arguments.out, console)


@contextmanager
def _server(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.server:
        yield arguments.server
        return
    with EmbeddedTriton(ServeOptions(models=(arguments.model or "base",))) as triton:
        yield triton.url


def _report(points: Sequence[Point], server: str, out: Path, console: Console) -> None:
    closed = [point for point in points if point.mode == "concurrency"]
    marked = knee(closed)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "load.csv", points)
    plot(out / "load.png", points, marked, f"Triscribe, {server}")
    console.print(table(points, marked))
    console.print(
        f"Knee: {marked.level:g} requests in flight, {marked.audio_s_per_s:.1f} audio seconds a second "
        f"({marked.throughput_rps:.2f} requests) at p50 {marked.p50_ms:.0f} ms and p99 {marked.p99_ms:.0f} ms."
    )
    if (highest := highest_sustained([point for point in points if point.mode == "request_rate"])) is not None:
        console.print(
            f"Highest rate kept up with: {highest.offered_rps:.2f} requests a second, p99 {highest.p99_ms:.0f} ms."
        )
    console.print(f"Written: {out / 'load.csv'}, {out / 'load.png'}", soft_wrap=True)


if __name__ == "__main__":
    main()
