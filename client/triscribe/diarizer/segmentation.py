"""The segmentation model over a recording, a few windows on each core side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio import Inference

WINDOWS_PER_CALL = 4
"""On one thread 4 to 8 windows of 10 s cost least: 35 ms of CPU each, against 60 for 16 of them on two threads, since
the recurrent layers are long chains of small products that threads only wait for."""

CALLS_PER_BATCH = 4
"""Calls for each thread between two reports of progress; with the above, what bounds the memory."""


class ParallelInference(Inference):  # type: ignore[misc]
    """pyannote's sliding window, whose batches are shared out to `threads` threads of one core each.

    Args:
        original: the inference that this one takes the place of.
        threads: windows that are worked on side by side, in groups; on a GPU there is one group.
    """

    def __init__(self, original: Inference, threads: int) -> None:
        super().__init__(
            original.model,
            duration=original.duration,
            step=original.step,
            skip_aggregation=original.skip_aggregation,
            batch_size=WINDOWS_PER_CALL * CALLS_PER_BATCH * threads,
        )
        self._threads = threads

    def infer(self, chunks: torch.Tensor) -> NDArray[np.float32]:
        """Activity of each window, shape `(windows, frames, speakers)`; `chunks` is `(windows, 1, samples)`."""
        if self.device.type != "cpu" or self._threads == 1:
            whole: NDArray[np.float32] = self._infer(chunks)
            return whole
        # A thread of PyTorch's own count: `set_num_threads` holds for the thread that calls it.
        with ThreadPoolExecutor(self._threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return np.concatenate(list(pool.map(self._infer, chunks.split(WINDOWS_PER_CALL))))

    def _infer(self, chunks: torch.Tensor) -> Any:
        return super().infer(chunks)
