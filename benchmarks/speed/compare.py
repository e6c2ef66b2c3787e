"""Triscribe beside faster-whisper, its peers and the ceiling without a server: same weights, same audio, one session.

    .venv/bin/python -m benchmarks.speed.compare [--only utterances-1,long] [--pairs 5] [--peers FOLDER] [--write]

Every side is a process of its own that stays loaded (sides.py). The sides take turns, pass after pass, so
that whatever else the machine does hits all of them; a ratio is taken within a turn, and its median and range over
the turns are shown. CPU seconds and memory are those of the side's whole process tree. `--write` keeps the figures
in docs/benchmarks/compare.json and renders the tables of docs/benchmarks.md and the plots from all that is in there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from tests.harness.paths import DATA, REPOSITORY
from tests.harness.processes import Tree, polled

from benchmarks.quality.corpus import Recording, join, load
from benchmarks.quality.scoring import scorer
from benchmarks.speed.compare_report import Figures, Measured, print_tables, write
from benchmarks.speed.peers import PEERS
from benchmarks.speed.sides import Outcome, Task
from triscribe.models import ModelStore
from triscribe.serving.process import ALLOCATOR
from triscribe.speech import chunking, vad
from triscribe.types import SAMPLE_RATE

OURS = "triscribe"
BATCHED = "faster-whisper batched"
TUNED = "faster-whisper batched tuned"
SEQUENTIAL = "faster-whisper"
CEILING = "ceiling"


@dataclass(frozen=True)
class Workload:
    """One kind of work and the sides that are measured on it."""

    key: str
    title: str
    recordings: Sequence[Recording]
    sides: tuple[str, ...]
    """Take part in every turn."""
    once: tuple[str, ...] = ()
    """Take part in the first turn only: nobody's target, but good to know."""
    callers: int = 1
    words: bool = False
    chunks: bool = False


def workloads(english: Sequence[Recording]) -> list[Workload]:
    """All workloads, small enough that five turns of one take one to two minutes on two cores."""
    short = sorted((r for r in english if len(r.samples) < 16 * SAMPLE_RATE), key=lambda r: r.name)
    few, more = short[::5], short[1::3]
    long, piece_of_it = join(english), join(english[::3])
    clip = [next(r for r in short if 2.9 < len(r.samples) / SAMPLE_RATE < 3.2)] * 5
    files = [join(english[first::12]) for first in range(0, 12, 2)]
    pieces = [
        Recording(f"chunk {chunk.index}", "en", "", chunk.samples)
        for chunk in chunking.cut(piece_of_it.samples, vad.speech_spans(piece_of_it.samples))
    ]
    turns, callers = (OURS, BATCHED), (OURS, BATCHED, TUNED)
    rest = (TUNED, SEQUENTIAL)
    served = (OURS, CEILING)
    return [
        Workload("utterances-1", "Short utterances, one caller", few, turns, rest),
        Workload("utterances-8", "Short utterances, 8 callers", more, callers, callers=8),
        Workload("utterances-32", "Short utterances, 32 callers", more, turns, (TUNED,), callers=32),
        Workload("words-8", "Short utterances, word times, 8 callers", more, turns, (TUNED,), callers=8, words=True),
        Workload("long", "One long file", [long], turns, rest),
        Workload("long-words", "One long file with word times", [long], turns, rest, words=True),
        Workload("clip", "One clip of 3 s, five times, idle machine", clip, turns, rest),
        Workload("files-words", "Files with word times, 3 callers", files, turns, (TUNED,), callers=3, words=True),
        Workload("chunks", "Chunks of a file of three minutes, 32 at once", pieces, served, callers=32, chunks=True),
        Workload(
            "chunks-words",
            "Chunks of a file of three minutes, word times, 32 at once",
            pieces,
            served,
            callers=32,
            words=True,
            chunks=True,
        ),
        Workload("overhead", "One chunk of 3 s at a time, word times", clip * 2, served, words=True, chunks=True),
    ]


class Contender:
    """A side in its process."""

    def __init__(self, name: str, path: Path, python: str) -> None:
        """Start loading; `ready` waits for the end of it."""
        self._name = name
        # The ceiling is that of our settings; Triscribe's server brings them itself.
        environment = {**os.environ, **(ALLOCATOR if name == CEILING else {})}
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.speed.sides", name, str(path)],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._tree = Tree([self._process.pid])

    def ready(self) -> None:
        """Wait until it is loaded."""
        self._answer()

    def run(self, task: Task) -> tuple[Outcome, float, float]:
        """One pass: its outcome, CPU seconds and peak memory in GB (proportional: shared pages are shared out)."""
        assert self._process.stdin
        before = self._tree.cpu_s()
        self._tree.peak_mb = 0.0
        with polled(self._tree.memory_mb, 1.0):
            print(json.dumps(asdict(task)), file=self._process.stdin, flush=True)
            answer = self._answer()
            cpu = self._tree.cpu_s() - before
        return Outcome(**answer), cpu, self._tree.peak_mb / 1e3

    def close(self) -> None:
        """Let it end by itself."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._name} ended")
        return json.loads(line)


@dataclass
class Session:
    """The sides that are loaded, and a folder with the recordings for them."""

    checkpoint: Path
    peers: Mapping[str, tuple[Path, Path]]
    """The interpreter and the weights of a side that has its own."""
    folder: Path
    loaded: dict[str, Contender] = field(default_factory=dict)

    def contender(self, name: str) -> Contender:
        """A loaded side."""
        if name not in self.loaded:
            python, path = self.peers.get(name, (Path(sys.executable), self.checkpoint))
            self.loaded[name] = Contender(name, path, str(python))
            self.loaded[name].ready()
        return self.loaded[name]

    def task(self, workload: Workload) -> Task:
        """The workload with its recordings on disk."""
        paths = []
        for recording in workload.recordings:
            path = self.folder / f"{abs(hash(recording.samples.tobytes()))}.npy"
            if not path.exists():
                np.save(path, recording.samples)
            paths.append(str(path))
        return Task(tuple(paths), workload.callers, workload.words, workload.chunks)

    def measure(self, workload: Workload, sides: Sequence[str], pairs: int) -> Figures:
        """Turns of all sides, after a first one that counts for nothing."""
        task = self.task(workload)
        references = [recording.reference for recording in workload.recordings]
        has_reference = any(references)
        seconds = sum(len(recording.samples) for recording in workload.recordings) / SAMPLE_RATE
        figures = Figures(workload.key, workload.title, seconds, len(references), workload.callers, {})
        contenders = {name: self.contender(name) for name in sides}
        for contender in contenders.values():
            contender.run(Task(task.recordings[:2], 1, task.words, task.chunks) if len(references) > 1 else task)
        for turn in range(pairs):
            for name, contender in contenders.items():
                if turn and name in workload.once:
                    continue
                outcome, cpu, memory = contender.run(task)
                wer = scorer("en")(references, outcome.texts) if has_reference else None
                measured = Measured(outcome.wall_s, tuple(outcome.latencies_s), wer, cpu, memory)
                figures.sides.setdefault(name, []).append(measured)
        return figures


def absolute(path: str) -> Path:
    """A folder for processes that start elsewhere."""
    return Path(path).absolute()


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", default="base")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default="", help="only these workloads, comma-separated")
    parser.add_argument("--sides", default="", help="only these sides, comma-separated")
    parser.add_argument("--peers", type=absolute, metavar="FOLDER", help="what benchmarks.speed.peers has made")
    parser.add_argument("--write", action="store_true", help="keep the figures and render the page")
    arguments = parser.parse_args()
    console = Console(width=150)
    only = set(filter(None, arguments.only.split(",")))
    chosen = [w for w in workloads(load(arguments.data / "asr", {"en"})) if not only or w.key in only]
    wanted = set(filter(None, arguments.sides.split(",")))
    peers = [peer for peer in PEERS if arguments.peers and peer.ready(arguments.peers)]
    checkpoint = ModelStore().resolve(arguments.model)
    own = {peer.side: (peer.python(arguments.peers), peer.path(arguments.peers, checkpoint)) for peer in peers}
    results = []
    with tempfile.TemporaryDirectory() as folder:
        session = Session(checkpoint, own, Path(folder))
        try:
            for workload in chosen:
                able = [peer.side for peer in peers if not workload.chunks and (peer.words or not workload.words)]
                sides = [side for side in (*workload.sides, *workload.once, *able) if not wanted or side in wanted]
                results.append(session.measure(workload, sides, arguments.pairs))
                print_tables(console, results[-1:])
                if arguments.write:
                    write(results)
        finally:
            for contender in session.loaded.values():
                contender.close()


if __name__ == "__main__":
    main()
