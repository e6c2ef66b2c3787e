"""Speech that the transcript leaves out.

Between two words there may be a word that nobody wrote down. It shows in the emissions as labels with a word boundary
on either side. Its neighbours then have an edge each, against the untold sound, instead of one edge between them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_SURE: Final = float(np.log(0.5))
"""Log-posterior from which a label counts as a sound that was made."""

_BOUNDARY: Final = float(np.log(0.3))
"""Log-posterior from which a frame counts as a word boundary."""


class UntoldSpeech:
    """Finds labels without text in one chunk's emissions."""

    def __init__(self, emissions: NDArray[np.float32], blank: int, boundary: int | None) -> None:
        """Take the emissions, (frames, labels) log-probabilities; without a boundary label nothing is ever found."""
        self.labels = emissions.argmax(axis=1)  # (frames,)
        sure = emissions.max(axis=1) > _SURE
        self._sound = sure & (self.labels != blank) & (self.labels != boundary)
        self._boundary = emissions[:, boundary] > _BOUNDARY if boundary is not None else np.zeros(len(sure), bool)

    def between(self, last: int | None, first: int | None) -> tuple[int, int] | None:
        """First and last frame of the untold sounds between two words.

        Args:
            last: last frame of the word before, None at the start of the chunk.
            first: first frame of the word behind, None at the end of the chunk.
        """
        low = 0 if last is None else last + 1
        high = len(self._sound) if first is None else first
        boundaries = np.flatnonzero(self._boundary[low:high]) + low
        if not len(boundaries):
            return None
        low = low if last is None else int(boundaries[0])
        high = high if first is None else int(boundaries[-1])
        sounds = np.flatnonzero(self._sound[low:high]) + low
        return (int(sounds[0]), int(sounds[-1])) if len(sounds) else None
