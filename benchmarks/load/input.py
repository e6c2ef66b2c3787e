"""Real speech of several lengths as perf_analyzer reads it. Its own random data is one sample that is no speech."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triscribe.types import Samples


def write_input(path: Path, pieces: Sequence[Samples], options: Mapping[str, Any]) -> None:
    """Write perf_analyzer's JSON: one entry a request, raw little-endian tensors in base64."""
    text = json.dumps(options).encode()
    entries = [
        {
            "AUDIO": _tensor(np.ascontiguousarray(samples, "<f4").tobytes(), len(samples)),
            "OPTIONS": _tensor(text, len(text)),
        }
        for samples in pieces
    ]
    path.write_text(json.dumps({"data": entries}))


def _tensor(content: bytes, size: int) -> dict[str, Any]:
    return {"content": {"b64": base64.b64encode(content).decode()}, "shape": [size]}
