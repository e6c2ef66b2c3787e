import numpy as np
import pytest

from triscribe.diarizer.inheritance import embedding_sources

N_FRAMES, STEP = 100, 10


def windows(tracks, n_windows):
    """Masks of windows that slide over per-frame activity, shape `(n_total, n_speakers)`."""
    return np.stack([tracks[i * STEP : i * STEP + N_FRAMES] for i in range(n_windows)]).astype(np.float32)


def track(*stretches, length=300):
    active = np.zeros(length)
    for start, end in stretches:
        active[start:end] = 1
    return active


def sources(masks, stride):
    flat = embedding_sources(masks, STEP, stride)
    return np.stack([flat // masks.shape[2], flat % masks.shape[2]], axis=-1).tolist()


def test_stride_one_computes_everything():
    masks = windows(np.stack([track((0, 300)), track((50, 90))], axis=1), 5)
    assert sources(masks, 1) == [[[w, s] for s in range(2)] for w in range(5)]


def test_a_lasting_voice_is_taken_over_whatever_its_local_number():
    masks = windows(np.stack([track((0, 300)), track((60, 160))], axis=1), 3)
    masks[1] = masks[1][:, ::-1]
    assert sources(masks, 2)[1] == [[0, 1], [0, 0]]


def test_a_voice_that_the_neighbours_do_not_hold_is_computed():
    masks = windows(np.stack([track((0, 300)), track()], axis=1), 3)
    masks[1, 20:40, 1] = 1
    assert sources(masks, 2)[1] == [[0, 0], [1, 1]]


def test_the_better_neighbour_is_chosen():
    # Starts where window 1 ends being like window 0: only window 2 has the same activity.
    masks = windows(np.stack([track((105, 300))], axis=1), 3)
    masks[0, :, 0] = 0
    assert sources(masks, 2)[1] == [[2, 0]]


def test_silent_speakers_inherit_nothing():
    masks = windows(np.stack([track()], axis=1), 4)
    assert sources(masks, 2) == [[[w, 0]] for w in range(4)]


@pytest.mark.parametrize("stride", [2, 3, 5])
def test_what_is_taken_over_is_computed_somewhere(stride):
    masks = (np.random.default_rng(stride).random((23, N_FRAMES, 3)) > 0.4).astype(np.float32)
    masks = masks.repeat(2, axis=0)[:23]
    found = embedding_sources(masks, STEP, stride)
    own = found == np.arange(found.size).reshape(found.shape)
    assert own[::stride].all()
    assert own.ravel()[found].all()
