"""Loading a checkpoint on the best device and number format that really work here."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any, Literal

import ctranslate2
import numpy as np

logger = logging.getLogger(__name__)

COMPUTE_TYPES = {
    # int8 is twice as fast as float32 on AVX2 and VNNI processors at equal WER (docs/benchmarks.md).
    "cpu": ("int8", "float32"),
    # float16 needs no calibration and is the fastest on tensor cores; some GPUs lack int8 GEMM (CTranslate2#1865).
    "cuda": ("float16", "int8_float16", "int8_float32", "float32"),
}

_PROBE_FRAMES = 1000
"""Length of the probe in frames; far from 2 x n_mels, which CTranslate2 would take for encoder output."""

Fallback = Literal["none", "compute_type", "device"]


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that has encoded something.

    Attributes:
        model: ctranslate2.models.Whisper.
        device: "cpu" or "cuda:<index>".
        compute_type: what CTranslate2 made of the request, such as "int8_float32" of "int8".
        fallback: what had to give way, for the metric and the log.
    """

    model: Any
    device: str
    compute_type: str
    fallback: Fallback


def load(
    path: str, *, device: str = "auto", compute_type: str = "auto", threads: int = 0, workers: int = 1
) -> ctranslate2.models.Whisper:
    """The model of `load_best`, on the device that was asked for."""
    return load_best(path, device=device, compute_type=compute_type, threads=threads, workers=workers).model


def load_best(
    path: str,
    *,
    device: str = "auto",
    compute_type: str = "auto",
    threads: int = 0,
    workers: int = 1,
    cpu_fallback: bool = False,
) -> Loaded:
    """Load the weights, probing each number format with a real encode until one works.

    Args:
        path: folder of the CTranslate2 checkpoint.
        device: "cpu", "cuda", "cuda:<index>" or "auto" (the GPU when there is one).
        compute_type: a CTranslate2 compute type, or "auto" for the device's usual ones in turn.
        threads: OpenMP threads of a CPU call; 0 takes every core this process may use.
        workers: CPU calls that may run side by side, from threads of the caller.
        cpu_fallback: whether the CPU may serve where the GPU does not work.

    Raises:
        RuntimeError: nothing worked; the message has the last reason.
    """
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    wanted = COMPUTE_TYPES[device.partition(":")[0]][0] if compute_type == "auto" else compute_type
    failure: Exception | None = None
    for place in (device, "cpu") if cpu_fallback and device != "cpu" else (device,):
        for candidate in dict.fromkeys((wanted, *COMPUTE_TYPES[place.partition(":")[0]])):
            try:
                model = try_one(path, device=place, compute_type=candidate, threads=threads, workers=workers)
            except (RuntimeError, ValueError) as error:
                logger.warning("%s does not work on %s, trying the next: %s", candidate, place, error)
                failure = error
                continue
            logger.info("loaded %s on %s as %s", path, place, model.compute_type)
            fallback: Fallback = "device" if place != device else "none" if candidate == wanted else "compute_type"
            return Loaded(model, _with_index(place), model.compute_type, fallback)
    raise RuntimeError(f"no compute type works for {path} on {device}: {failure}")


def try_one(
    path: str, *, device: str, compute_type: str, threads: int = 0, workers: int = 1
) -> ctranslate2.models.Whisper:
    """Load in one number format and encode ten seconds of nothing.

    Raises:
        RuntimeError: it does not work there; CTranslate2's own words.
        ValueError: this device has no such number format.
    """
    kind, _, index = device.partition(":")
    model = ctranslate2.models.Whisper(
        path,
        device=kind,
        device_index=int(index or 0),
        compute_type=compute_type,
        intra_threads=threads or len(os.sched_getaffinity(0)),
        inter_threads=workers,
    )
    model.encode(ctranslate2.StorageView.from_array(np.zeros((1, model.n_mels, _PROBE_FRAMES), np.float32)))
    return model


def is_out_of_memory(error: Exception) -> bool:
    """Whether CTranslate2 failed for lack of memory (its errors are plain RuntimeErrors)."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        sign in text for sign in ("out of memory", "alloc_failed", "bad_alloc", "cannot allocate")
    )


def _with_index(device: str) -> str:
    return "cuda:0" if device == "cuda" else device
