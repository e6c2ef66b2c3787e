"""Silero's probabilities of speech, for files and for live audio. The only module that imports faster_whisper here.

Silero (https://github.com/snakers4/silero-vad) gives one probability for each 32 ms. faster-whisper carries the model,
but its `get_speech_timestamps` copies the whole file three times (3.4 GB on top for 4 h), so the model's session is
run here block by block, its state carried on: the same probabilities in constant memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from triscribe.types import Samples

WINDOW_SAMPLES = 512
"""Samples for one probability (32 ms), fixed by the model."""

_CONTEXT_SAMPLES = 64
"""Samples before each window that the model sees as well."""

_STATE_SHAPE = (1, 1, 128)
"""Shape of the model's hidden and cell state."""

_BLOCK_WINDOWS = 2_000
"""Windows a call (64 s): larger ones are no faster and only take memory."""


def speech_probabilities(samples: Samples) -> NDArray[np.float32]:
    """Silero's probability of speech for each 512 samples, the last window filled up with silence.

    Args:
        samples: mono audio at 16 kHz, shape `(n_samples,)`.

    Returns:
        Shape `(ceil(n_samples / 512),)`, values in [0, 1].
    """
    return np.concatenate([np.empty(0, dtype=np.float32), *blocks(samples)])


def blocks(samples: Samples) -> Iterator[NDArray[np.float32]]:
    """`speech_probabilities`, block by block."""
    from faster_whisper.vad import get_vad_model  # noqa: PLC0415 - loads CTranslate2; only files need it

    session = get_vad_model().session
    hidden = cell = np.zeros(_STATE_SHAPE, dtype=np.float32)
    block = _BLOCK_WINDOWS * WINDOW_SAMPLES
    for start in range(0, len(samples), block):
        output, hidden, cell = session.run(
            None, {"input": _windows(samples, start, min(start + block, len(samples))), "h": hidden, "c": cell}
        )
        yield output.ravel()


class SpeechProbabilities:
    """`speech_probabilities` for audio that is still coming in; the same values, bit for bit where blocks agree."""

    def __init__(self) -> None:
        self._hidden = self._cell = np.zeros(_STATE_SHAPE, dtype=np.float32)
        self._context: Samples = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)
        self._rest: Samples = np.empty(0, dtype=np.float32)

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """One probability for each window that `samples`, shape `(n_samples,)`, completes."""
        from faster_whisper.vad import get_vad_model  # noqa: PLC0415 - as above

        waiting = np.concatenate([self._rest, samples], dtype=np.float32)
        length = len(waiting) - len(waiting) % WINDOW_SAMPLES
        self._rest = waiting[length:]
        if not length:
            return np.empty(0, dtype=np.float32)
        known = np.concatenate([self._context, waiting[:length]])
        self._context = known[-_CONTEXT_SAMPLES:]
        windows = sliding_window_view(known, _CONTEXT_SAMPLES + WINDOW_SAMPLES)[::WINDOW_SAMPLES]
        inputs = {"input": np.ascontiguousarray(windows), "h": self._hidden, "c": self._cell}
        output, self._hidden, self._cell = get_vad_model().session.run(None, inputs)
        probabilities: NDArray[np.float32] = output.ravel()
        return probabilities


def _windows(samples: Samples, start: int, end: int) -> NDArray[np.float32]:
    """The model's input for `samples[start:end]`: windows with their context, shape `(n_windows, 64 + 512)`."""
    context = samples[max(0, start - _CONTEXT_SAMPLES) : start]
    fill = -(end - start) % WINDOW_SAMPLES
    padded = np.pad(
        np.concatenate([context, samples[start:end]], dtype=np.float32),
        (_CONTEXT_SAMPLES - len(context), fill),
    )
    return np.ascontiguousarray(sliding_window_view(padded, _CONTEXT_SAMPLES + WINDOW_SAMPLES)[::WINDOW_SAMPLES])
