"""What instances, threads, group size, context and beam cost: CTranslate2 alone on real speech, no pipeline.

    .venv/bin/python -m benchmarks.speed.executions [--data DIR] [--model base]

Each row decodes the same number of chunks that fill 90 % of their context; the first pass of a row counts for nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tests.harness.paths import DATA

from benchmarks.quality.corpus import join, load
from benchmarks.speed import inprocess  # noqa: F401 - puts the models on the path
from triscribe.models import ModelStore
from triscribe.types import SAMPLE_RATE
from triscribe_transcribe.features import FRAMES_PER_SECOND, log_mel
from triscribe_whisper.checkpoint import Checkpoint
from triscribe_whisper.device import load as load_weights
from triscribe_whisper.engine import Call, Engine
from triscribe_whisper.options import WhisperOptions

CHUNKS = 16
FILL = 0.9


@dataclass(frozen=True)
class Row:
    """One way to run the chunks."""

    instances: int
    threads: int
    group: int
    context_s: float = 10.0
    beam: int = 5
    attention: bool = False


ROWS = (
    Row(1, 2, 8),
    Row(2, 1, 8),
    *(Row(2, 1, group) for group in (1, 2, 4)),
    *(Row(2, 1, group, context) for context in (15.0, 20.0, 30.0) for group in (4, 8)),
    *(Row(2, 1, 4, beam=beam) for beam in (1, 2, 3)),
    Row(2, 1, 4, attention=True),
    Row(1, 1, 1),
    Row(1, 2, 1),
)


def run(model: Any, checkpoint: Checkpoint, row: Row, features: Sequence[NDArray[Any]]) -> float:
    """Seconds for all chunks."""
    engine = Engine(model, checkpoint)
    options = WhisperOptions(language="en", beam_size=row.beam, attention=row.attention)
    calls = [Call(chunk, options) for chunk in features]
    groups = [calls[first : first + row.group] for first in range(0, len(calls), row.group)]
    with ThreadPoolExecutor(row.instances) as pool:
        began = time.perf_counter()
        list(pool.map(engine.run, groups))
        return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", default="base")
    arguments = parser.parse_args()
    samples = join(load(arguments.data / "asr", {"en"})).samples
    path = ModelStore().resolve(arguments.model)
    checkpoint = Checkpoint.read(path)
    console = Console(width=120)
    table = Table("instances", "threads", "group", "context s", "beam", "attention", "x real time")
    for row in ROWS:
        model = load_weights(str(path), device="cpu", threads=row.threads, workers=row.instances)
        length = int(row.context_s * FILL * SAMPLE_RATE)
        frames = int(row.context_s * FRAMES_PER_SECOND)
        starts = range(0, CHUNKS * length, length)
        features = [log_mel(samples[start : start + length], model.n_mels, frames) for start in starts]
        took = median([run(model, checkpoint, row, features) for _ in range(4)][1:])
        cells = (row.instances, row.threads, row.group, row.context_s, row.beam, row.attention)
        speed = f"{CHUNKS * length / SAMPLE_RATE / took:.1f}"
        table.add_row(*map(str, cells), speed)
        console.print(*cells, speed, sep="  ")
    console.print(table)


if __name__ == "__main__":
    main()
