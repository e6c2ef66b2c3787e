"""Which embeddings have to be computed: a voice that the neighbouring window also holds is embedded once.

Windows of 10 s at a step of 1 s share nine tenths of their audio, so most embeddings of a window repeat those of
its neighbour. Computing them for every n-th window only, and letting the windows between take them over from the
same voice in the next window, keeps what a small step is good for (many votes for each frame, many members for each
cluster) at a fraction of its price.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MIN_IOU = 0.5
"""Two local speakers are the same voice when their activity agrees this well (intersection over union)."""

MIN_SHARED = 0.5
"""And when at least this share of the heir's activity lies in the audio that both windows have."""


def embedding_sources(masks: Floats, step_frames: float, stride: int) -> NDArray[np.int64]:
    """Where the embedding of each speaker of each window comes from.

    Args:
        masks: Activity, shape `(n_windows, n_frames, n_speakers)`, 0 or 1.
        step_frames: Distance between the starts of two windows, in frames.
        stride: Every `stride`-th window is embedded; 1 embeds all.

    Returns:
        Shape `(n_windows, n_speakers)`: flat index `window * n_speakers + speaker` of the one whose embedding is
        taken. A speaker that has to be embedded points to itself.
    """
    n_windows, _, n_speakers = masks.shape
    sources = np.arange(n_windows * n_speakers).reshape(n_windows, n_speakers)
    for heir in range(n_windows):
        before = heir - heir % stride
        if heir == before:
            continue
        best = np.full(n_speakers, np.nextafter(MIN_IOU, 0))
        for donor in (before, before + stride):
            if donor < n_windows:
                agreement = _agreement(masks, heir, donor, step_frames)  # (heir's speakers, donor's speakers)
                likeliest = agreement.argmax(axis=1)
                score = agreement.max(axis=1)
                better = score > best
                sources[heir, better] = donor * n_speakers + likeliest[better]
                best = np.where(better, score, best)
    return sources


def _agreement(masks: Floats, heir: int, donor: int, step_frames: float) -> Floats:
    """Intersection over union of each pair of speakers in the shared audio; 0 where too little is shared."""
    shift = round(abs(heir - donor) * step_frames)
    n_frames = masks.shape[1]
    early, late = slice(shift, None), slice(0, n_frames - shift)
    ours, theirs = (masks[heir][late], masks[donor][early])
    if donor > heir:
        ours, theirs = (masks[heir][early], masks[donor][late])
    shared = ours.T @ theirs
    union = ours.sum(axis=0)[:, None] + theirs.sum(axis=0)[None, :] - shared
    enough = ours.sum(axis=0) >= np.maximum(MIN_SHARED * masks[heir].sum(axis=0), 1)
    iou: Floats = np.where(enough[:, None], shared / np.maximum(union, 1), 0.0).astype(np.float32)
    return iou
