"""The figures of `compare.py` as tables, in docs/benchmarks.md, and as plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.page import DOCS, markdown_table, write_section

RESULTS = DOCS / "benchmarks" / "compare.json"
OURS = "triscribe"
COLUMNS = ("side", "WER %", "x real time", "Triscribe faster by", "median", "p99", "CPU s / audio min", "GB")


@dataclass(frozen=True)
class Measured:
    """One pass of one side; `wer` is None where there is no reference."""

    wall_s: float
    latencies_s: tuple[float, ...]
    wer: float | None
    cpu_s: float
    memory_gb: float


@dataclass(frozen=True)
class Figures:
    """All passes of one workload, in turns: the n-th of one side ran right beside the n-th of another."""

    key: str
    title: str
    audio_s: float
    recordings: int
    callers: int
    sides: dict[str, list[Measured]]

    def ratios(self, side: str) -> list[float]:
        """How many times as fast Triscribe was, turn by turn."""
        return [
            theirs.wall_s / ours.wall_s
            for theirs, ours in zip(self.sides[side], self.sides.get(OURS, []), strict=False)
        ]

    def rows(self) -> list[tuple[str, ...]]:
        """One row a side, in the order of COLUMNS."""
        rows: list[tuple[str, ...]] = []
        for side, passes in self.sides.items():
            latencies = [latency for one in passes for latency in one.latencies_s]
            ratios = self.ratios(side)
            spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""
            wers = [one.wer for one in passes if one.wer is not None]
            rows.append(
                (
                    side,
                    f"{100 * median(wers):.2f}" if wers else "",
                    f"{self.audio_s / median(one.wall_s for one in passes):.1f}",
                    "" if side == OURS else spread,
                    f"{median(latencies):.2f} s",
                    f"{np.percentile(latencies, 99):.2f} s",
                    f"{60 * median(one.cpu_s for one in passes) / self.audio_s:.2f}",
                    f"{max(one.memory_gb for one in passes):.2f}",
                )
            )
        return rows

    @property
    def caption(self) -> str:
        """What was done, how often."""
        turns = max(len(passes) for passes in self.sides.values())
        what = f"{self.recordings} recordings, " if self.recordings > 1 else ""
        return f"{self.title}: {what}{self.audio_s:.0f} s of audio, {turns} turns"


def print_tables(console: Console, results: Sequence[Figures]) -> None:
    """Show them on the terminal."""
    for figures in results:
        table = Table(*COLUMNS, title=figures.caption)
        for row in figures.rows():
            table.add_row(*row)
        console.print(table)


def read() -> dict[str, Figures]:
    """All figures that were kept, by workload."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return {
        key: Figures(**{**fields, "sides": {s: [Measured(**m) for m in ms] for s, ms in fields["sides"].items()}})
        for key, fields in kept.items()
    }


def write(results: Sequence[Figures]) -> None:
    """Keep the figures, those of other workloads included, and render the page and the plots."""
    kept = {**read(), **{figures.key: figures for figures in results}}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({key: asdict(figures) for key, figures in kept.items()}, indent=1) + "\n")
    write_section("benchmarks.md", "compare", "\n\n".join(map(_markdown, kept.values())))
    plot(list(kept.values()))


def _markdown(figures: Figures) -> str:
    return f"**{figures.caption}**\n\n{markdown_table(COLUMNS, figures.rows())}"


def plot(results: Sequence[Figures]) -> None:
    """Speed of every side for each workload, and the ratios with their spread, as one svg."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "triscribe"
    from matplotlib import pyplot

    heights = [0.6 + 0.17 * len(figures.sides) for figures in results]
    figure, axes = pyplot.subplots(
        len(results), 1, figsize=(8, sum(heights)), gridspec_kw={"height_ratios": heights}, squeeze=False
    )
    for axis, figures in zip(axes[:, 0], results, strict=True):
        names = list(figures.sides)[::-1]
        speeds = [figures.audio_s / np.array([one.wall_s for one in figures.sides[name]]) for name in names]
        middles = np.array([np.median(speed) for speed in speeds])
        spread = np.array([[m - s.min(), s.max() - m] for m, s in zip(middles, speeds, strict=True)]).T
        colours = ["tab:orange" if name == OURS else "tab:gray" for name in names]
        axis.barh(names, middles, xerr=spread, color=colours, capsize=2)
        axis.set_title(figures.title, fontsize=8, loc="left")
        axis.tick_params(labelsize=7)
    axes[-1, 0].set_xlabel("audio seconds a second (median, range)", fontsize=8)
    figure.tight_layout()
    figure.savefig(RESULTS.with_name("speed.svg"), metadata={"Date": None})
    pyplot.close(figure)
