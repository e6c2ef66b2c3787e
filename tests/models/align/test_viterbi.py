"""The search against a plain reference, and what it does with wrong transcripts."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triscribe_align.viterbi import WILDCARD_WORD, Costs, align

BLANK, BOUNDARY, A, B, C, D = range(6)
STRICT = Costs(other_label=1e6, untold_speech=1e6, skip_word=1e6, skip_label=0.0)


def emissions(labels, sure=0.95):
    """Log-probabilities that name one label in each frame."""
    rows = np.full((len(labels), 6), (1 - sure) / 5, np.float32)
    rows[np.arange(len(labels)), labels] = sure
    return np.log(rows)


def spans(alignment):
    return [[(span.label, span.first, span.last) for span in word] for word in alignment.words]


def collapse(path):
    return [label for label, _ in itertools.groupby(path) if label not in (BLANK, BOUNDARY)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_score_is_that_of_the_best_path_of_all(seed, frames):
    random = np.random.default_rng(seed)
    rows = np.log(random.dirichlet(np.ones(4), frames)).astype(np.float32)  # blank, boundary, A, B
    words = [(A,), (B,)]
    best = max(
        sum(rows[t, label] for t, label in enumerate(path))
        for path in itertools.product(range(4), repeat=frames)
        if collapse(path) == [A, B] and BOUNDARY not in path
    )
    rows[:, BOUNDARY] = -1e5  # the reference has no gaps, so neither may the search
    assert align(rows, words, BLANK, BOUNDARY, STRICT).score == pytest.approx(best, abs=1e-3)


def test_labels_get_their_frames():
    found = align(emissions([BLANK, A, B, B, BOUNDARY, BLANK, C, BLANK]), [(A, B), (C,)], BLANK, BOUNDARY, Costs())
    assert spans(found) == [[(A, 1, 1), (B, 2, 3)], [(C, 6, 6)]]
    assert found.words[0][0].probability == pytest.approx(0.95, abs=1e-3)


def test_equal_labels_need_a_blank_between_them():
    found = align(emissions([A, A, BLANK, A]), [(A, A)], BLANK, BOUNDARY, Costs())
    assert spans(found) == [[(A, 0, 1), (A, 3, 3)]]


def test_boundary_label_is_optional():
    rows = emissions([A, BLANK, B])
    assert spans(align(rows, [(A,), (B,)], BLANK, None, Costs())) == [[(A, 0, 0)], [(B, 2, 2)]]


SPEECH = [A, B, BOUNDARY, C, D, BOUNDARY, B, A, BOUNDARY]


def test_a_word_that_was_not_said_is_left_out():
    found = align(emissions(SPEECH), [(A, B), (A, A, D, C), (C, D), (B, A)], BLANK, BOUNDARY, Costs())
    assert spans(found) == [[(A, 0, 0), (B, 1, 1)], [], [(C, 3, 3), (D, 4, 4)], [(B, 6, 6), (A, 7, 7)]]


def test_speech_that_was_not_written_stays_between_its_neighbours():
    found = align(emissions(SPEECH), [(A, B), (B, A)], BLANK, BOUNDARY, Costs())
    assert spans(found) == [[(A, 0, 0), (B, 1, 1)], [(B, 6, 6), (A, 7, 7)]]


def test_a_wildcard_takes_the_sound_between_its_neighbours():
    found = align(emissions(SPEECH), [(A, B), WILDCARD_WORD, (B, A)], BLANK, BOUNDARY, Costs())
    (wildcard,) = found.words[1]
    assert (wildcard.first, wildcard.last) == (3, 4)
    assert spans(found)[::2] == [[(A, 0, 0), (B, 1, 1)], [(B, 6, 6), (A, 7, 7)]]


def test_too_few_frames_leave_every_word_out():
    found = align(emissions([A]), [(A,), (B,), (C,)], BLANK, BOUNDARY, Costs())
    assert found.words == [[], [], []]


def test_a_window_of_states_finds_the_same_as_all_of_them(monkeypatch):
    random = np.random.default_rng(1)
    said = [tuple(random.integers(A, D + 1, 4).tolist()) for _ in range(120)]
    frames = [label for word in said for label in (*(x for c in word for x in (c, BLANK)), BOUNDARY, BLANK)]
    rows = emissions(frames, 0.8)
    banded = align(rows, said, BLANK, BOUNDARY, Costs())
    monkeypatch.setattr("triscribe_align.viterbi._BEAM", 1e9)
    assert spans(align(rows, said, BLANK, BOUNDARY, Costs())) == spans(banded)
    assert banded.words[-1][-1].last == len(frames) - 4
