"""What this machine can carry: the one place where counts and sizes are derived from it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sizing:
    """Instances, threads and batch limits of the served models.

    Attributes:
        gpus: device indices that get one whisper instance each; empty on a CPU.
        threads: OpenMP threads of a whisper execution on a CPU.
        align_threads: ONNX Runtime threads of an alignment.
        group_size: chunks in one whisper execution.
        bulk_group_s: audio seconds in one bulk execution, what an interactive request waits for at most.
        depth: whisper executions in flight.
        max_waiting_s: audio seconds that may queue before requests are refused.
    """

    gpus: tuple[int, ...]
    threads: int
    align_threads: int
    group_size: int
    bulk_group_s: float
    depth: int
    max_waiting_s: float = 7200.0


def visible_gpus() -> tuple[int, ...]:
    """Indices, as Triton counts them, of the GPUs that this process may use."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return tuple(range(len([name for name in hidden.split(",") if name.strip() not in ("", "-1")])))
    return tuple(range(len(list(Path("/proc/driver/nvidia/gpus").glob("*")))))


def size_machine(*, device: str = "auto", threads: int = 0) -> Sizing:
    """Derive the sizes; `device` is "auto", "cpu" or "cuda", `threads` 0 takes every core."""
    cores = len(os.sched_getaffinity(0))
    gpus = visible_gpus() if device in ("auto", "cuda") else ()
    if gpus:
        # A GPU gains from larger batches, and a second execution in flight hides the host's work between two.
        depth = 2 * len(gpus)
        return Sizing(gpus, threads or cores, max(1, cores // 2), 16, 480.0, depth)
    return Sizing((), threads or cores, min(cores, 2), 8, 80.0, 1)
