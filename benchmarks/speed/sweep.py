"""What encoder context, chunk length and retries cost and bring: word error rate and speed over a grid of settings.

    .venv/bin/python -m benchmarks.speed.sweep [--data DIR] [--models base,tiny.en]

Runs in one process without Triton (benchmarks/speed/inprocess.py), on the English recordings one by one and joined.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from tests.harness.paths import DATA

from benchmarks.quality.corpus import Recording, join, load
from benchmarks.quality.scoring import recall, scorer
from benchmarks.speed.inprocess import InProcess
from triscribe.models import ModelStore
from triscribe.speech import chunking, vad
from triscribe.speech.chunking import ChunkingOptions
from triscribe.types import SAMPLE_RATE, Chunk, Span
from triscribe_transcribe.job import Context

FULL = (30.0,)
BUCKETS = Context().buckets_s
FIVES = (10.0, 15.0, 20.0, 25.0, 30.0)


@dataclass(frozen=True)
class Setting:
    """One row: the encoder context, the chunk length aimed at, and further options of a request."""

    name: str
    buckets_s: tuple[float, ...] = BUCKETS
    margin_s: float = Context().margin_s
    target_s: float = ChunkingOptions().target_s
    options: Mapping[str, Any] = field(default_factory=dict)


SETTINGS = (
    Setting("default"),
    Setting("30 s always", FULL, 0.0),
    Setting("steps of 5 from 10", FIVES),
    Setting("steps of 5 from 5", (5.0, *FIVES)),
    Setting("steps of 2 from 10", (*map(float, range(10, 31, 2)),)),
    Setting("steps of 2 from 8", (*map(float, range(8, 31, 2)),)),
    Setting("steps of 2 from 6", (*map(float, range(6, 31, 2)),)),
    Setting("margin 0.3", margin_s=0.3),
    Setting("margin 0.5", margin_s=0.5),
    Setting("margin 1", margin_s=1.0),
    Setting("margin 2", margin_s=2.0),
    *(Setting(f"target {target:g}", target_s=target) for target in (9.0, 11.0, 14.0, 16.0, 19.0, 24.0, 28.0)),
    *(Setting(f"beam {beam}", options={"beam_size": beam}) for beam in (1, 2, 3)),
    Setting("no ladder", options={"temperature": [0.0]}),
    Setting("ladder 0 0.2 0.4 0.6 0.8 1", options={"temperature": [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]}),
    Setting("without word times", options={"word_timestamps": False}),
)


async def run(engine: InProcess, recordings: Sequence[Recording], setting: Setting) -> tuple[list[str], float]:
    """Texts of the recordings and the seconds it took, voice detection left out."""
    engine.configure({"context": {"buckets_s": setting.buckets_s, "margin_s": setting.margin_s}})
    options = ChunkingOptions(target_s=setting.target_s)
    cut = [chunking.cut(r.samples, spans(r.name, r.samples.tobytes()), options) for r in recordings]
    chunks: list[Chunk] = [chunk for chunks in cut for chunk in chunks]
    request = {"language": "en", "word_timestamps": True, "priority": "bulk", **setting.options}
    started = time.monotonic()
    results = iter(await engine.transcribe(chunks, request))
    took = time.monotonic() - started
    texts = [" ".join(s["text"] for _ in chunks for s in next(results)["segments"]) for chunks in cut]
    return texts, took


@cache
def spans(_name: str, samples: bytes) -> list[Span]:
    """Where there is speech: the same for every setting."""
    return vad.speech_spans(np.frombuffer(samples, np.float32))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", default="base,tiny.en")
    parser.add_argument("--only", default="", help="settings whose names hold one of these, comma-separated")
    arguments = parser.parse_args()
    english = load(arguments.data / "asr", {"en"})
    joined = join(english)
    seconds = sum(len(r.samples) for r in english) / SAMPLE_RATE
    console = Console(width=120)
    for model in arguments.models.split(","):
        table = Table(
            "setting", "WER %", "x real time", "retries", "joined WER %", "joined recall %", "x", "retries", title=model
        )
        engine = InProcess(model, ModelStore().resolve(model))
        only = arguments.only.split(",")
        for setting in (s for s in SETTINGS if any(part in s.name for part in only)):
            row = [setting.name]
            for recordings in (english, [joined]):
                texts, took = asyncio.run(run(engine, recordings, setting))
                row.append(f"{100 * scorer('en')([r.reference for r in recordings], texts):.2f}")
                if recordings[0] is joined:
                    row.append(f"{100 * recall(joined.reference, texts[0]):.2f}")
                row += [f"{seconds / took:.1f}", str(len(engine.retries))]
            table.add_row(*row)
            console.print(*row, sep="  ")
        console.print(table)


if __name__ == "__main__":
    main()
