"""A checkpoint as a file for whisper.cpp.

The format is that of its `models/convert-pt-to-ggml.py`, the quantisation that of its `quantize` program, which
wheels do not carry.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from benchmarks.speed.peers.checkpoint import Checkpoint

_MAGIC = 0x67676D6C
_F32, _F16, _Q8_0 = 0, 1, 8
"""Types of tensors."""
_FILE_TYPE = 2007
"""Version 2 of the quantisation, mostly Q8_0."""
_BLOCK = 32
"""Numbers with one scale."""


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Matrices as Q8_0, convolutions as float16, the rest as float32."""
    width, heads = checkpoint.width, checkpoint.heads
    filters = FeatureExtractor(feature_size=checkpoint.mels).mel_filters.astype("<f4")
    tokens = checkpoint.texts()  # whisper.cpp adds what is no text
    with path.open("wb") as file:
        file.write(struct.pack("<2i", _MAGIC, checkpoint.tokens))
        for side in ("encoder", "decoder"):
            file.write(struct.pack("<4i", checkpoint.context(side), width, heads, checkpoint.layers(side)))
        file.write(struct.pack("<2i", checkpoint.mels, _FILE_TYPE))
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        file.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            file.write(struct.pack("<i", len(token)) + token)
        for name, values in checkpoint.weights.items():
            kind, data = _encoded(name, values)
            shape = (len(values), 1) if name.endswith(("conv1.bias", "conv2.bias")) else values.shape
            file.write(struct.pack("<3i", len(shape), len(name), kind))
            file.write(struct.pack(f"<{len(shape)}i", *reversed(shape)) + name.encode() + data)


def _encoded(name: str, values: NDArray[Any]) -> tuple[int, bytes]:
    if values.ndim == 1 or name.endswith("positional_embedding"):
        return _F32, values.astype("<f4").tobytes()
    if values.ndim == 3:
        return _F16, values.astype("<f2").tobytes()
    return _Q8_0, q8_0(values)


def q8_0(values: NDArray[Any]) -> bytes:
    """Blocks of a float16 scale and 32 bytes."""
    blocks = values.astype(np.float32).reshape(-1, _BLOCK)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / 127
    levels = np.round(np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales > 0))
    packed = np.empty(len(blocks), [("scale", "<f2"), ("levels", "i1", _BLOCK)])
    packed["scale"], packed["levels"] = scales[:, 0], levels
    return packed.tobytes()
