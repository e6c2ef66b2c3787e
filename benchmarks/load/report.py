"""What a load test found: points, the knee of the curve, CSV, table and plot."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

Mode = Literal["concurrency", "request_rate"]

KEPT_UP = 0.85
"""A rate is sustained when so much of the offered rate was answered until the last answer, the tail included."""


@dataclass(frozen=True)
class Point:
    """One level of load.

    Attributes:
        mode: what was held: requests in flight, or requests sent a second.
        level: how many.
        requests: answered with a result.
        errors: answered with an error, such as RESOURCE_EXHAUSTED; not in any other figure.
        offered_rps: requests a second as they were really sent.
        throughput_rps: results a second, from the first request to the last answer.
        audio_s_per_s: audio seconds in those results, a second.
        p50_ms, p90_ms, p99_ms: percentiles of the time from request to answer.
    """

    mode: Mode
    level: float
    requests: int
    errors: int
    offered_rps: float
    throughput_rps: float
    audio_s_per_s: float
    p50_ms: float
    p90_ms: float
    p99_ms: float

    @property
    def sustained(self) -> bool:
        """Whether the server kept up with the rate."""
        return not self.errors and self.throughput_rps >= KEPT_UP * self.offered_rps


def read_point(export: dict[str, Any], mode: Mode, level: float) -> Point:
    """The point in perf_analyzer's profile export, which carries every answer: durations are exact, errors are seen."""
    requests = export["experiments"][0]["requests"]
    sent = np.array([request["timestamp"] for request in requests]) / 1e9
    answered = np.array([request["response_timestamps"][-1] for request in requests]) / 1e9
    envelopes = [json.loads(bytes(request["response_outputs"][0]["RESULT"])) for request in requests]
    good = np.array(["ok" in envelope for envelope in envelopes])
    took_s = answered.max() - sent.min()
    audio_s = sum(envelope["ok"]["duration"] for envelope in envelopes if "ok" in envelope)
    latencies = (answered - sent)[good] * 1e3
    percentiles = np.percentile(latencies, (50, 90, 99)) if good.any() else np.full(3, np.nan)
    return Point(
        mode=mode,
        level=level,
        requests=int(good.sum()),
        errors=int((~good).sum()),
        offered_rps=float((len(sent) - 1) / np.ptp(sent)) if len(sent) > 1 else float("nan"),
        throughput_rps=float(good.sum() / took_s),
        audio_s_per_s=float(audio_s / took_s),
        p50_ms=float(percentiles[0]),
        p90_ms=float(percentiles[1]),
        p99_ms=float(percentiles[2]),
    )


def first_error(export: dict[str, Any]) -> str | None:
    """What the server said to the first request that it refused, None when there is none."""
    for request in export["experiments"][0]["requests"]:
        envelope = json.loads(bytes(request["response_outputs"][0]["RESULT"]))
        if error := envelope.get("error"):
            return f"{error['code']}: {error['message']}"
    return None


def knee(points: Sequence[Point]) -> Point:
    """Where more load begins to buy latency instead of throughput.

    The point farthest above the straight line from least to most, both axes scaled to 0..1 (Satopaa et al., "Finding a
    'Kneedle' in a Haystack", 2011); of equals the one with the least load.
    """
    ordered = sorted(points, key=lambda point: point.level)
    gains = _scaled([point.audio_s_per_s for point in ordered])
    costs = _scaled([point.p50_ms for point in ordered])
    return ordered[int(np.argmax(gains - costs))]


def highest_sustained(points: Sequence[Point]) -> Point | None:
    """The highest rate that was kept up with."""
    return max((point for point in points if point.sustained), key=lambda point: point.offered_rps, default=None)


def _scaled(values: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    array = np.asarray(values, np.float64)
    span = np.ptp(array)
    return (array - array.min()) / span if span else np.zeros_like(array)


def write_csv(path: Path, points: Sequence[Point]) -> None:
    """All points, one a line."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Point)])
        writer.writeheader()
        writer.writerows(
            {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(point).items()}
            for point in points
        )


def table(points: Sequence[Point], marked: Point | None) -> Table:
    """For a terminal; the knee is marked."""
    shown = Table(
        "", "level", "requests", "errors", "sent/s", "results/s", "audio s/s", "p50 ms", "p90 ms", "p99 ms", ""
    )
    for point in points:
        shown.add_row(
            "in flight" if point.mode == "concurrency" else "a second",
            f"{point.level:g}",
            str(point.requests),
            str(point.errors),
            f"{point.offered_rps:.2f}",
            f"{point.throughput_rps:.2f}",
            f"{point.audio_s_per_s:.1f}",
            *(f"{value:.0f}" for value in (point.p50_ms, point.p90_ms, point.p99_ms)),
            "knee" if point is marked else "" if point.mode == "concurrency" or point.sustained else "not kept up",
        )
    return shown


def plot(path: Path, points: Sequence[Point], marked: Point, title: str) -> None:
    """Latency over throughput for requests in flight, and over the rate for requests sent a second."""
    closed = [point for point in points if point.mode == "concurrency"]
    opened = [point for point in points if point.mode == "request_rate"]
    figure = Figure(figsize=(12 if opened else 6.5, 4.5), layout="constrained")
    axes = figure.subplots(1, 2 if opened else 1, squeeze=False)[0]
    left = axes[0]
    for name in ("p50_ms", "p99_ms"):
        left.plot([p.audio_s_per_s for p in closed], [getattr(p, name) for p in closed], "o-", label=name[:3])
    for point in closed:
        left.annotate(f"{point.level:g}", (point.audio_s_per_s, point.p50_ms), (4, -12), textcoords="offset points")
    left.axvline(marked.audio_s_per_s, color="grey", linestyle=":", label=f"knee: {marked.level:g} in flight")
    left.set(xlabel="audio seconds a second", ylabel="latency, ms", title="requests in flight (labels)")
    left.set(xlim=(0, None), ylim=(0, None))
    mean_s = sum(p.audio_s_per_s for p in closed) / sum(p.throughput_rps for p in closed)
    left.secondary_xaxis("top", functions=(lambda x: x / mean_s, lambda x: x * mean_s)).set_xlabel("requests a second")
    left.legend()
    if opened:
        right = axes[1]
        for name in ("p50_ms", "p99_ms"):
            right.plot([p.offered_rps for p in opened], [getattr(p, name) for p in opened], "o-", label=name[:3])
        right.set(xlabel="requests sent a second", ylabel="latency, ms", title="Poisson arrivals", ylim=(0, None))
        right.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
