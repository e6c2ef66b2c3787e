"""What this machine can carry: the one place where counts and sizes are derived from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from triscribe.errors import ServingError
from triscribe.machine import available_cores

_DEV = Path("/dev")

MAX_CPU_INSTANCES = 4
"""More instances of fewer threads give more throughput, fewer of more threads answer one request sooner."""

_MEMORY_SHARE = 0.5
"""Share of the free memory that the weights of all instances may take."""


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
        instances: whisper processes for each checkpoint on a CPU, or for each GPU.
        align_instances: aligner processes.
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
    instances: int = 1
    align_instances: int = 1
    max_waiting_s: float = 7200.0
    cpu_fallback: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    def limits(self) -> dict[str, float]:
        """Limits for the queue of `transcribe`."""
        return {
            "max_waiting_s": self.max_waiting_s,
            "group_size": self.group_size,
            "bulk_group_s": self.bulk_group_s,
            "depth": self.depth,
        }


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


def size_machine(*, device: str = "auto", threads: int = 0, instances: int = 0, weights_bytes: int = 0) -> Sizing:
    """Derive the sizes.

    Args:
        device: "auto" takes every visible GPU, or the CPU where there is none or none works; "cuda" and "cuda:N" (one
            of the visible GPUs; Triton is kept from touching the others) insist; "cpu".
        threads: of one execution on a CPU; 0 shares the cores out.
        instances: whisper processes for each checkpoint on a CPU, or for each GPU; 0 derives them (one for a GPU).
        weights_bytes: size of all served checkpoints, which every instance loads.

    Raises:
        ServingError: there is no such device.
    """
    cores = available_cores()
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
            gpus=gpus,
            threads=threads or cores,
            align_threads=max(1, cores // 2),
            group_size=16,
            bulk_group_s=480.0,
            depth=depth * max(1, instances),
            instances=max(1, instances),
            cpu_fallback=kind == "auto",
            environment=environment,
        )
    # Whisper's decoder is a long row of small products: a second thread for each makes them no faster, a second
    # execution beside it nearly doubles the throughput (docs/benchmarks.md).
    wanted = instances or (max(1, cores // threads) if threads else min(cores, MAX_CPU_INSTANCES))
    if not instances and weights_bytes:
        room = int(_MEMORY_SHARE * psutil.virtual_memory().available / weights_bytes)
        wanted = max(1, min(wanted, room))
    # Groups of 8 were no faster than groups of 4, whose activations fit the caches better, and hold others up longer.
    # An alignment on one thread is some seven times as fast as whisper on one, so few instances keep up.
    aligners = max(1, cores // MAX_CPU_INSTANCES)
    return Sizing(
        gpus=(),
        threads=threads or max(1, cores // wanted),
        align_threads=1,
        group_size=4,
        bulk_group_s=60.0,
        depth=wanted,
        instances=wanted,
        align_instances=aligners,
    )
