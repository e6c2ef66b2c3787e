"""Loading a checkpoint on the best device and number format that really work here."""

from __future__ import annotations

import logging
import os

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


def load(
    path: str, *, device: str = "auto", compute_type: str = "auto", threads: int = 0, workers: int = 1
) -> ctranslate2.models.Whisper:
    """Load the weights, probing each number format with a real encode until one works.

    Args:
        path: folder of the CTranslate2 checkpoint.
        device: "cpu", "cuda", "cuda:<index>" or "auto" (the GPU when there is one).
        compute_type: a CTranslate2 compute type, or "auto" for the device's usual ones in turn.
        threads: OpenMP threads of a CPU call; 0 takes every core this process may use.
        workers: CPU calls that may run side by side, from threads of the caller.

    Raises:
        RuntimeError: nothing worked; the message has the last reason.
    """
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    kind, _, index = device.partition(":")
    candidates = COMPUTE_TYPES[kind] if compute_type == "auto" else (compute_type, *COMPUTE_TYPES[kind])
    failure: Exception | None = None
    for candidate in dict.fromkeys(candidates):
        try:
            model = ctranslate2.models.Whisper(
                path,
                device=kind,
                device_index=int(index or 0),
                compute_type=candidate,
                intra_threads=threads or len(os.sched_getaffinity(0)),
                inter_threads=workers,
            )
            model.encode(ctranslate2.StorageView.from_array(np.zeros((1, model.n_mels, _PROBE_FRAMES), np.float32)))
        except (RuntimeError, ValueError) as error:
            logger.warning("%s does not work on %s, trying the next: %s", candidate, device, error)
            failure = error
        else:
            logger.info("loaded %s on %s as %s", path, device, model.compute_type)
            return model
    raise RuntimeError(f"no compute type works for {path} on {device}: {failure}")


def is_out_of_memory(error: Exception) -> bool:
    """Whether CTranslate2 failed for lack of memory (its errors are plain RuntimeErrors)."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        sign in text for sign in ("out of memory", "alloc_failed", "bad_alloc", "cannot allocate")
    )
