"""Jobs of the diarizer: one runs at a time, on a thread of its own, and can be watched and cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from triscribe.diarizer.turns import Found, Outcome, arrange
from triscribe.types import SAMPLE_RATE


class Stage(IntEnum):
    """Steps of a job; the values are those of `DiarizationStage` in the proto."""

    QUEUED = 1
    LOADING = 2
    SEGMENTATION = 3
    EMBEDDING = 4
    CLUSTERING = 5


_SPAN = {
    Stage.QUEUED: (0.0, 0.0),
    Stage.LOADING: (0.0, 0.02),
    Stage.SEGMENTATION: (0.02, 0.4),
    Stage.EMBEDDING: (0.4, 0.97),
    Stage.CLUSTERING: (0.97, 1.0),
}
"""Share of the whole job at which a stage starts and ends: a rough estimate of its part of the time."""

MAX_JOBS = 8
"""Jobs that run or wait; each holds its whole recording in memory (3.8 MB a minute)."""

MAX_HELD_BYTES = 3_000_000_000
"""Bytes of all their recordings together: one of 12 h, or eight of 97 minutes. With 2 GB for PyTorch and the pipeline
it stays below the 6 GiB that the chart allows."""


class JobCancelledError(Exception):
    """The caller went away; raised inside the worker to stop it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a pipeline. Bounds are already checked; None means not given."""

    pipeline: str = "default"
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    embeddings: bool = False


Report = Callable[[Stage, float], None]
"""Told the stage and which share of the stage is done; raises `JobCancelledError` to stop the work."""


class Engine(Protocol):
    """Runs pipelines; the real one is `pipelines.PipelineLibrary`."""

    def find(self, samples: NDArray[np.float32], request: Request, report: Report) -> Found:
        """Finds the turns in `samples`, shape `(n_samples,)`, 16 kHz."""
        ...


@dataclass(slots=True)
class Job:
    """One recording on its way; written by the worker, read by the handler of the call."""

    samples: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    request: Request = field(default_factory=Request)
    stage: Stage = Stage.QUEUED
    fraction: float = 0.0
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Stops the work at its next report."""
        self._cancelled.set()

    def report(self, stage: Stage, share: float) -> None:
        """Takes over how far the job is."""
        if self._cancelled.is_set():
            raise JobCancelledError
        start, end = _SPAN[stage]
        self.stage = stage
        self.fraction = max(self.fraction, start + min(1.0, share) * (end - start))


class JobQueue:
    """Runs jobs one after the other: a pipeline already uses every core."""

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        """`make_engine` is called on the worker thread, once: it imports PyTorch, which takes seconds."""
        self._make_engine = make_engine
        self._engine: Engine | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="diarize")
        self._taken = 0
        self._held_bytes = 0

    def warm_up(self) -> None:
        """Makes the engine now. A failure shows in the first job."""
        self._worker.submit(self._ready_engine)

    def hold(self, size: int) -> bool:
        """Counts bytes of a recording that comes in; False, and nothing counted, when there is no room for them."""
        if self._held_bytes + size > MAX_HELD_BYTES:
            return False
        self._held_bytes += size
        return True

    def give_back(self, size: int) -> None:
        """The bytes of a recording whose job has ended."""
        self._held_bytes -= size

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Holds a place for one call, from its upload to its answer; False when none is free."""
        if self._taken >= MAX_JOBS:
            yield False
            return
        self._taken += 1
        try:
            yield True
        finally:
            self._taken -= 1

    async def run(self, job: Job) -> Outcome:
        """Waits for the job's turn and runs it. Raises what the engine raises."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._run, job)

    def _run(self, job: Job) -> Outcome:
        if not len(job.samples):
            return Outcome()
        job.report(Stage.LOADING, 0.0)
        found = self._ready_engine().find(job.samples, job.request, job.report)
        return arrange(found, len(job.samples) / SAMPLE_RATE)

    def _ready_engine(self) -> Engine:
        if self._engine is None:
            self._engine = self._make_engine()
        return self._engine
