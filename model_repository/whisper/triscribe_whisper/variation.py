"""Another text for the same chunk, and the same one in every run: what a temperature above zero means here.

CTranslate2 samples from one generator a worker thread. It takes its seed when the thread first samples and cannot be
set again, so that a sampled text depends on all that the thread sampled before. Here the noise is added to the
encoder's output instead, from a generator that the chunk itself seeds, and decoding is greedy: the search leaves a loop
as well as sampling does, and the same bytes give the same text in any process and any batch
(docs/adr/0020-reproducible.md).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import ctranslate2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .engine import Call

_NOISE: Final = 0.5
"""Deviation of the noise at temperature 1, as a share of the deviation of the encoder's output."""


def varied_rows(encoded: Any, calls: Sequence[Call]) -> ctranslate2.StorageView:
    """The encoder's output (batch, frames / 2, d_model) with the noise of each chunk and its temperature."""
    rows = np.asarray(encoded.to_device(ctranslate2.Device.cpu))
    return ctranslate2.StorageView.from_array(np.stack([_varied(*pair) for pair in zip(rows, calls, strict=True)]))


def _varied(row: NDArray[Any], call: Call) -> NDArray[Any]:
    temperature = call.options.temperature
    seed = (zlib.crc32(call.features.tobytes()), round(1000 * temperature))
    noise = np.random.default_rng(seed).standard_normal(row.shape, np.float32)
    scale = _NOISE * temperature * float(row.astype(np.float32).std())
    varied: NDArray[Any] = (row + scale * noise).astype(row.dtype)
    return varied
