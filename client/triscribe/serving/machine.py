"""What this machine can carry: the one place where counts and sizes are derived from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from triscribe.errors import ServingError

_DEV = Path("/dev")


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
        cpu_fallback: whether the CPU may serve where a GPU turns out not to work.
        environment: variables that Triton needs, so that it sees only the chosen GPUs.
    """

    gpus: tuple[int, ...]
    threads: int
    align_threads: int
    group_size: int
    bulk_group_s: float
    depth: int
    max_waiting_s: float = 7200.0
    cpu_fallback: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def visible_gpus() -> tuple[int, ...]:
    """Indices, as Triton counts them, of the GPUs that this process may use."""
    return tuple(range(len(_names())))


def _names() -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls the visible GPUs: indices or UUIDs."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return [name.strip() for name in hidden.split(",") if name.strip() not in ("", "-1")]
    # The device nodes, not /proc/driver/nvidia: a container sees the host's there, also those it was not given.
    return [str(index) for index in range(len([node for node in _DEV.glob("nvidia*") if node.name[6:].isdigit()]))]


def size_machine(*, device: str = "auto", threads: int = 0) -> Sizing:
    """Derive the sizes.

    Args:
        device: "auto" takes every visible GPU, or the CPU where there is none or none works; "cuda" and "cuda:N" (one
            of the visible GPUs; Triton is kept from touching the others) insist; "cpu".
        threads: of a whisper execution; 0 takes every core.

    Raises:
        ServingError: there is no such device.
    """
    cores = len(os.sched_getaffinity(0))
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (index and (kind != "cuda" or not index.isdecimal())):
        raise ServingError(f"There is no device {device!r}: choose auto, cpu, cuda or cuda:N.")
    names = _names() if kind != "cpu" else []
    if kind == "cuda" and len(names) <= int(index or 0):
        raise ServingError(
            f"{device} was asked for, but this process sees {len(names)} GPUs: start the container with --gpus "
            "(which needs the NVIDIA container toolkit), check CUDA_VISIBLE_DEVICES, or take --device cpu."
        )
    environment = {"CUDA_VISIBLE_DEVICES": names[int(index)]} if index else {}
    if index:
        names = names[int(index) :][:1]
    if names:
        # A GPU gains from larger batches, and a second execution in flight hides the host's work between two.
        gpus, depth = tuple(range(len(names))), 2 * len(names)
        return Sizing(
            gpus,
            threads or cores,
            max(1, cores // 2),
            group_size=16,
            bulk_group_s=480.0,
            depth=depth,
            cpu_fallback=kind == "auto",
            environment=environment,
        )
    return Sizing((), threads or cores, min(cores, 2), 8, 80.0, 1)
