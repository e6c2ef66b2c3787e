"""CAM++ as an ONNX file: made once from the published weights, then read by the embedding sessions."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import tempfile
from pathlib import Path
from types import ModuleType

import torch
from filelock import FileLock

from triscribe.errors import DiarizationError

log = logging.getLogger(__name__)

N_MELS = 80
EMBEDDING_SIZE = 192
OPSET = 17
MAX_ERROR = 1e-3
"""Largest difference allowed between network and export, in units of the embedding (whose values are about 1)."""

_RECIPE = 1  # part of the file name: raise it when what the export does changes


def exported(network: Path, weights: Path, cache: Path) -> Path:
    """The ONNX file of these weights, made on first use.

    Args:
        network: `camplusplus.py`, the definition of the network; already checked against the manifest.
        weights: its state dict; already checked against the manifest.
        cache: folder that keeps the result, whose name carries the hash of both inputs.

    Returns:
        A file with input `feats` `(batch, frames, 80)` float32 (log-mel, mean taken out) and output `embs`
        `(batch, 192)` float32.

    Raises:
        DiarizationError: The export differs from the network.
    """
    digest = hashlib.sha256(network.read_bytes() + weights.read_bytes()).hexdigest()[:16]
    target = cache / f"campplus-{digest}-r{_RECIPE}.onnx"
    if target.is_file():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if not target.is_file():
            log.info("exporting the speaker embedding to %s", target)
            _export(load_network(network, weights), target)
    return target


def load_network(network: Path, weights: Path) -> torch.nn.Module:
    """CAM++ in evaluation mode.

    The network is compiled from the bytes of the checked file; the weights are opened without unpickling code.
    """
    module = _import(network)
    model: torch.nn.Module = module.CAMPPlus(feat_dim=N_MELS, embedding_size=EMBEDDING_SIZE)
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval()


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("triscribe_campplus", path)
    if spec is None or spec.loader is None:
        raise DiarizationError(f"{path} is not a Python module.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _export(model: torch.nn.Module, target: Path) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".onnx")
    os.close(handle)
    partial = Path(name)
    try:
        torch.onnx.export(
            model,
            (torch.randn(2, 345, N_MELS),),
            str(partial),
            input_names=["feats"],
            output_names=["embs"],
            dynamic_axes={"feats": {0: "batch", 1: "frames"}, "embs": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,  # the newer exporter fixes the frame count in `seg_pooling`
        )
        _verify(model, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _verify(model: torch.nn.Module, path: Path) -> None:
    import onnxruntime  # noqa: PLC0415 - only needed here and in `embedding`

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch, frames in ((1, 60), (3, 998)):
        feats = torch.randn(batch, frames, N_MELS)
        with torch.inference_mode():
            expected = model(feats).numpy()
        error = float(abs(session.run(["embs"], {"feats": feats.numpy()})[0] - expected).max())
        if not error <= MAX_ERROR:
            raise DiarizationError(f"The exported speaker embedding is off by {error:.2g}; nothing was kept.")
