from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from triscribe.types import SAMPLE_RATE
from triscribe_transcribe.pauses import out_of_pauses, quiet_stretches
from triscribe_transcribe.result import Word
from triscribe_transcribe.words import cut_segments

from .support import noise


def quiet(seconds):
    return 0.001 * noise(seconds)


def words(*times):
    return [Word("好", start, end, 0.9, "attention") for start, end in times]


def test_pauses_are_where_it_is_quiet():
    samples = np.concatenate([quiet(1), noise(2), quiet(0.3), noise(1), quiet(1.5), noise(1)])
    assert quiet_stretches(samples) == [(0.0, 1.0), (4.3, 5.8)]
    assert quiet_stretches(noise(3)) == []
    assert quiet_stretches(np.zeros(0, np.float32)) == []
    assert quiet_stretches(np.zeros(SAMPLE_RATE, np.float32)) == []


def test_words_that_touch_part_at_a_pause():
    apart = out_of_pauses(words((0.2, 1.5), (1.5, 4.0), (4.0, 6.0)), [(0.0, 1.0), (2.0, 3.9), (4.5, 7.0)])
    assert [(word.start, word.end) for word in apart] == [(1.0, 1.5), (1.5, 2.05), (4.0, 4.55)]
    assert cut_segments(apart, "好好好", "zh") == [slice(0, 2), slice(2, 3)]


@given(
    st.lists(st.floats(0, 30), min_size=2, max_size=20, unique=True).map(sorted),
    st.lists(st.floats(0, 30), max_size=8, unique=True).map(sorted),
)
def test_words_only_shrink(cuts, edges):
    before = words(*pairwise(cuts))
    after = out_of_pauses(before, list(zip(edges[::2], edges[1::2], strict=False)))
    for old, new in zip(before, after, strict=True):
        assert old.start <= new.start <= new.end <= old.end
