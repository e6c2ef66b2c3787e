"""Speaker embeddings of every window of a recording, features computed once and sessions run side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from pyannote.audio.pipelines.speaker_verification import ONNXWeSpeakerPretrainedSpeakerEmbedding

Floats = NDArray[np.float32]

HOP_SAMPLES = 160
FRAME_SAMPLES = 400
"""Kaldi's filter bank: 25 ms windows every 10 ms, at 16 kHz."""

WINDOWS_PER_BLOCK = 16
"""Windows whose features are in memory together (16 windows of 10 s at a step of 2.5 s: 1.5 MB)."""


class WindowEmbedding(ONNXWeSpeakerPretrainedSpeakerEmbedding):  # type: ignore[misc]
    """pyannote's ONNX embedding, for all windows of a recording in one call.

    The original computes the features of a window again for each of its speakers, and runs one
    item after the other on one thread. Here neighbouring windows share their features (they are the same
    numbers: a window starts on a frame) and the items run on `threads` threads.

    Args:
        path: ONNX file (see `export`).
        threads: items that run side by side.
        max_frames: of a longer item only the middle is used; 0 uses all. In 10 ms.
    """

    def __init__(self, path: Path, threads: int, max_frames: int = 0) -> None:
        self.threads = threads
        self._max_frames = max_frames
        super().__init__(str(path))

    def to(self, device: torch.device) -> WindowEmbedding:
        """Opens the session, once. The features and the network stay on the CPU whatever the device."""
        if hasattr(self, "session_"):  # the pipeline moves all its parts once more
            return self
        options = onnxruntime.SessionOptions()
        # One thread for each run, several runs side by side: the network is a long chain of small layers.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Inputs differ in length, so the arena would keep one set of buffers for each length seen.
        options.enable_cpu_mem_arena = False
        self.session_ = onnxruntime.InferenceSession(
            self.embedding, sess_options=options, providers=["CPUExecutionProvider"]
        )
        self.device = torch.device("cpu")
        return self

    def windows(
        self,
        samples: torch.Tensor,
        masks: Floats,
        step_samples: int,
        window_samples: int,
        progress: Callable[[int], None],
    ) -> Floats:
        """Embeds each speaker of each window.

        Args:
            samples: The recording, shape `(n_samples,)`, float32 in [-1, 1].
            masks: Which frames to use, shape `(n_windows, n_frames, n_speakers)`, 0 or 1.
            step_samples: Distance between the starts of two windows; a multiple of `HOP_SAMPLES`.
            window_samples: Length of a window.
            progress: Told how many windows are done.

        Returns:
            Shape `(n_windows, n_speakers, dimension)`; NaN where a speaker has too few frames.
        """
        n_windows, _, n_speakers = masks.shape
        result = np.full((n_windows, n_speakers, self.dimension), np.nan, dtype=np.float32)
        with ThreadPoolExecutor(self.threads) as pool:
            for first in range(0, n_windows, WINDOWS_PER_BLOCK):
                block = masks[first : first + WINDOWS_PER_BLOCK]
                features = self._features(samples, first, len(block), step_samples, window_samples)
                items = list(self._items(features, block))
                for (window, speaker, _), embedding in zip(items, pool.map(self._embed, items), strict=True):
                    result[first + window, speaker] = embedding
                progress(first + len(block))
        return result

    def _features(
        self, samples: torch.Tensor, first: int, count: int, step_samples: int, window_samples: int
    ) -> list[Floats]:
        begin = first * step_samples
        length = (count - 1) * step_samples + window_samples
        stretch = samples[begin : begin + length]
        stretch = torch.nn.functional.pad(stretch, (0, length - len(stretch)))
        # Subtracting the mean of the block here is undone by subtracting that of each window below.
        features = self.compute_fbank(stretch[None, None])[0].numpy()
        step = step_samples // HOP_SAMPLES
        frames = 1 + (window_samples - FRAME_SAMPLES) // HOP_SAMPLES
        windows = (features[i * step : i * step + frames] for i in range(count))
        return [window - window.mean(axis=0) for window in windows]

    def _items(self, features: list[Floats], masks: Floats) -> Iterator[tuple[int, int, Floats]]:
        # The nearest mask frame of each feature frame, as torch.nn.functional.interpolate(mode="nearest") takes it.
        n_frames = len(features[0])
        nearest = np.arange(n_frames) * masks.shape[1] // n_frames
        for window, mask in enumerate(masks):
            for speaker in range(mask.shape[1]):
                chosen = features[window][mask[nearest, speaker] > 0.5]
                if len(chosen) >= self.min_num_frames:
                    excess = max(0, len(chosen) - self._max_frames) if self._max_frames else 0
                    yield window, speaker, chosen[excess // 2 : len(chosen) - excess + excess // 2]

    def _embed(self, item: tuple[int, int, Floats]) -> Floats:
        embedding: Floats = self.session_.run(["embs"], {"feats": item[2][None]})[0][0]
        return embedding
