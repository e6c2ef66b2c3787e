"""ONNX sessions. The only module that imports onnxruntime; its errors leave as AlignError."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from . import graph
from .description import Emissions
from .errors import AlignError

Device = Literal["cpu", "cuda"]

logger = logging.getLogger(__name__)

# Clips come in many lengths: searching convolution algorithms for each costs far more than it saves, and the arena
# would keep the largest of everything (onnxruntime#709; docs of the CUDA execution provider).
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}


class Session:
    """One loaded graph."""

    def __init__(self, path: Path, *, threads: int, device: Device, drop_masks: bool = False) -> None:
        """Load a graph.

        Args:
            path: the ONNX file.
            threads: threads of one run on the CPU.
            device: where it runs.
            drop_masks: see `graph.for_cpu`.

        Raises:
            AlignError: FAILED_PRECONDITION, the file is missing or broken or the device is not there.
        """
        if not path.is_file():
            raise AlignError("FAILED_PRECONDITION", f"the aligner's weights are missing: {path}")
        if device == "cuda" and "CUDAExecutionProvider" not in ort.get_available_providers():
            raise AlignError("FAILED_PRECONDITION", "device is cuda, but this onnxruntime has no CUDA provider")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads of an idle session must not spin: whisper runs on the same cores right before and after.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        on_cuda = [("CUDAExecutionProvider", _CUDA_OPTIONS), "CPUExecutionProvider"]
        model: str | bytes = str(path) if device == "cuda" else graph.for_cpu(path, drop_masks=drop_masks)
        try:
            self._session = ort.InferenceSession(
                model, options, providers=on_cuda if device == "cuda" else ["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's exceptions share no base
            raise AlignError("FAILED_PRECONDITION", f"{path.name} cannot be loaded: {error}") from error
        if device == "cuda" and "CUDAExecutionProvider" not in self._session.get_providers():
            # onnxruntime only logs that a library of the provider is missing, and goes on with the CPU.
            raise AlignError("FAILED_PRECONDITION", f"{path.name}: onnxruntime could not load its CUDA provider")
        self._name = path.name

    def run(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Run the graph.

        Raises:
            AlignError: INTERNAL, or RESOURCE_EXHAUSTED where memory ran out.
        """
        try:
            return list(self._session.run(list(outputs), dict(inputs)))
        except Exception as error:  # onnxruntime's exceptions share no base
            code = "RESOURCE_EXHAUSTED" if "alloc" in str(error).lower() else "INTERNAL"
            raise AlignError(code, f"{self._name} failed: {error}") from error


def prove(device: Device) -> None:
    """Run a convolution, which on CUDA takes cuBLAS and cuDNN.

    Raises:
        AlignError: it does not work there.
    """
    with tempfile.TemporaryDirectory(prefix="triscribe-") as folder:
        path = Path(folder) / "probe.onnx"
        path.write_bytes(graph.probe())
        session = Session(path, threads=1, device=device)
        (found,) = session.run(["y"], {"x": np.ones((1, 1, 1600), np.float32)})
    if found.shape != (1, 4, 1598) or not np.allclose(found, 3.0):
        raise AlignError("INTERNAL", f"onnxruntime computes wrong results on {device}")


def settle(device: str) -> tuple[Device, bool]:
    """Where sessions run: of "auto", CUDA if it works.

    Returns:
        The device, and whether it is the CPU only because CUDA failed.
    """
    if device == "auto":
        try:
            prove("cuda")
        except AlignError as error:
            logger.warning("CUDA does not work for alignment, using the CPU: %s", error)
            return "cpu", True
        return "cuda", False
    return ("cuda" if device == "cuda" else "cpu"), False


class Emitter:
    """The acoustic model: audio in, log-probabilities of labels out."""

    def __init__(self, description: Emissions, weights: Path, *, threads: int, device: Device) -> None:
        """Load the model; raises as `Session` does."""
        self._description = description
        self._session = Session(
            weights / description.model,
            threads=threads,
            device=device,
            drop_masks=not description.padding_parity,
        )

    def __call__(self, clips: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Emissions of several clips in one run.

        Args:
            clips: each (samples,) at 16 kHz.

        Returns:
            Log-probabilities of each clip, (frames, labels).

        Raises:
            AlignError: INTERNAL, clips of unequal length for a model whose result depends on padding.
        """
        description = self._description
        lengths = [len(clip) for clip in clips]
        if not description.padding_parity and len(set(lengths)) > 1:
            raise AlignError(
                "INTERNAL", "this aligner's result depends on padding: clips of unequal length never share a run"
            )
        audio = np.zeros((len(clips), max(lengths)), np.float32)  # (batch, samples)
        mask = np.zeros(audio.shape, np.int64)
        for row, clip in enumerate(clips):
            audio[row, : len(clip)] = _standardised(clip) if description.normalise != "none" else clip
            mask[row, : len(clip)] = 1
        inputs: dict[str, NDArray[Any]] = {description.audio: audio}
        if description.lengths:
            inputs[description.lengths] = np.array(lengths, np.int64)
        if description.attention_mask:
            inputs[description.attention_mask] = mask
        (emissions,) = self._session.run([description.output], inputs)  # (batch, frames, labels)
        shares = [description.frames(length, emissions.shape[1]) for length in lengths]
        return [emissions[row, :share].astype(np.float32) for row, share in enumerate(shares)]


def _standardised(clip: NDArray[np.float32]) -> NDArray[np.float32]:
    # The constant is transformers' Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm.
    scaled: NDArray[np.float32] = (clip - clip.mean()) / np.sqrt(clip.var() + np.float32(1e-7))
    return scaled
