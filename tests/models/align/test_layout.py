"""Every word gets a time."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from triscribe_align.layout import Heard, lay_out

times = st.floats(-1.0, 31.0)
heard = st.none() | st.builds(Heard, times, times, st.floats(0, 1))


@example([Heard(0.0, 2.0, 0.0)], 1.9999999999999964)
@given(st.lists(heard, min_size=1, max_size=60), st.floats(1.0, 30.0))
def test_times_are_in_order_and_inside_whatever_was_heard(found, duration):
    words = lay_out(["word"] * len(found), found, duration)
    assert all(0 <= word.start < word.end <= duration for word in words)
    assert all(a.end <= b.start for a, b in itertools.pairwise(words))
    assert [word.timing == "interpolated" for word in words] == [item is None for item in found]


def test_heard_words_keep_their_times():
    (first, second) = lay_out(["a", "b"], [Heard(0.1, 0.2, 0.5), Heard(0.3, 0.4, 0.6)], 1.0)
    assert (first.start, first.end, second.start, second.end) == (0.1, 0.2, 0.3, 0.4)


def test_unheard_words_share_the_room_by_letters():
    words = lay_out(["a", "bb", "cccc", "d"], [Heard(0, 0.1, 1), None, None, Heard(0.4, 0.5, 1)], 1.0)
    assert (words[1].start, words[2].end) == (0.1, 0.4)
    assert words[1].end - words[1].start == pytest.approx(0.1, abs=2e-3)


def test_an_unheard_last_word_does_not_stretch_into_silence():
    words = lay_out(["hello", "you"], [Heard(0, 0.5, 1), None], 30.0)
    assert words[1].end < 1.0


def test_unheard_first_words_lie_before_the_first_heard_one():
    words = lay_out(["oh", "hello"], [None, Heard(5.0, 5.5, 1)], 30.0)
    assert 4.5 < words[0].start < words[0].end == 5.0
