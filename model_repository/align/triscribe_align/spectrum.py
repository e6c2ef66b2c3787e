"""A short-time spectrum for finding edges: finer in time than the acoustic model's own frames."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from .description import SAMPLE_RATE

HOP_S: Final = 0.005
"""From one frame to the next; frame k is centred on k * HOP_S."""

BANDS: Final = 20
_HOP: Final = round(HOP_S * SAMPLE_RATE)
_WINDOW: Final = 256  # samples, 16 ms: short enough to see a stop's burst
_LOWEST_HZ: Final = 100.0
_HIGHEST_HZ: Final = 7600.0
_POWER_FLOOR: Final = 1e-7


def log_mel(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Natural logarithm of mel band powers.

    Args:
        audio: (samples,) at 16 kHz.

    Returns:
        (frames, bands), one frame every `HOP_S`.
    """
    padded = np.pad(audio, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * _hann()  # (frames, window)
    spectrum = fft.rfft(frames, axis=1)  # (frames, bins)
    power = spectrum.real**2 + spectrum.imag**2
    bands: NDArray[np.float32] = np.log(power @ _filters() + np.float32(_POWER_FLOOR))
    return bands


@lru_cache(maxsize=1)
def _hann() -> NDArray[np.float32]:
    return np.hanning(_WINDOW).astype(np.float32)


@lru_cache(maxsize=1)
def _filters() -> NDArray[np.float32]:
    """Triangular mel filters, (bins, bands). The mel formula is O'Shaughnessy's (1987), as in HTK."""
    low, high = (2595.0 * np.log10(1.0 + hz / 700.0) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    edges = 700.0 * (10.0 ** (np.linspace(low, high, BANDS + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(_WINDOW, 1.0 / SAMPLE_RATE)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0.0, None).astype(np.float32)
