"""Silence at the ends of a chunk, which the acoustic model need not see.

Its squeeze-and-excitation and attention layers look at the whole clip: seconds of silence move the labels of the
speech before it, and cost time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .description import SAMPLE_RATE

_FRAME: Final = SAMPLE_RATE // 100  # 10 ms
_QUIET: Final = 1e-4
"""Power below this share of the speech's is silence (-40 dB)."""

_KEPT_S: Final = 0.3
"""Silence on either side of the first and the last sound: weak consonants lie below the threshold."""


def with_even_silence(audio: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The clip with the same length of silence at both ends, cut or filled up; a silent clip stays as it is.

    Args:
        audio: (samples,) at 16 kHz.

    Returns:
        The samples, and where they begin in `audio`: seconds, negative where silence was put in front.
    """
    frames = audio[: len(audio) // _FRAME * _FRAME].reshape(-1, _FRAME)  # (frames, samples)
    power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64)  # (frames,)
    if not power.any():
        return audio, 0.0
    speech = (power**2).sum() / power.sum()  # the power's own mean: silence has no weight in it
    loud = np.flatnonzero(power > _QUIET * speech)
    kept = round(_KEPT_S * SAMPLE_RATE)
    first, after = int(loud[0]) * _FRAME - kept, (int(loud[-1]) + 1) * _FRAME + kept
    inside = audio[max(first, 0) : min(after, len(audio))]
    even = np.pad(inside, (max(-first, 0), max(after - len(audio), 0)))
    return even, first / SAMPLE_RATE
