import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triscribe.diarization.overlaps import find_overlaps
from triscribe.diarizer.turns import Found, arrange
from triscribe.types import Overlap, SpeakerTurn

times = st.integers(0, 20_000).map(lambda ms: ms / 1000)
raw_turns = st.lists(st.tuples(times, times, st.sampled_from("abcd")), max_size=30).map(
    lambda turns: tuple((min(a, b), max(a, b), label) for a, b, label in turns)
)


def test_labels_follow_the_order_of_appearance():
    outcome = arrange(Found(turns=((5.0, 6.0, "B"), (1.0, 2.0, "A"), (3.0, 4.0, "C"))), 10.0)
    assert outcome.speakers == ("SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
    assert [turn.speaker for turn in outcome.turns] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]
    assert [turn.start for turn in outcome.turns] == [1.0, 3.0, 5.0]


def test_windows_beyond_the_end_are_cut():
    outcome = arrange(Found(turns=((0.5, 9.0, "A"), (1.2, 3.0, "B")), exclusive=((0.5, 9.0, "A"),)), 1.0)
    assert outcome.turns == (SpeakerTurn(0.5, 1.0, "SPEAKER_00"),)
    assert outcome.exclusive == outcome.turns


def test_embeddings_take_the_new_names_and_bad_ones_are_left_out():
    found = Found(
        turns=((0.0, 1.0, "x"), (1.0, 2.0, "y"), (2.0, 3.0, "z")),
        embeddings={"x": np.array([1.0], np.float32), "y": np.array([np.nan], np.float32)},
    )
    assert arrange(found, 3.0).embeddings == {"SPEAKER_00": np.array([1.0])}


def test_three_voices_at_once():
    turns = [SpeakerTurn(0, 4, "a"), SpeakerTurn(1, 3, "b"), SpeakerTurn(2, 5, "c")]
    assert find_overlaps(turns) == (
        Overlap(1, 2, ("a", "b")),
        Overlap(2, 3, ("a", "b", "c")),
        Overlap(3, 4, ("a", "c")),
    )


def test_turns_that_touch_do_not_overlap():
    assert find_overlaps([SpeakerTurn(0, 1, "a"), SpeakerTurn(1, 2, "b")]) == ()


@settings(deadline=None)
@given(raw_turns, st.integers(0, 200))
def test_overlaps_hold_where_several_speakers_are_active(turns, tenth):
    outcome = arrange(Found(turns=turns), 20.0)
    time = tenth / 10 + 0.0505  # between the millisecond edges
    active = tuple(sorted({turn.speaker for turn in outcome.turns if turn.start < time < turn.end}))
    covering = [overlap for overlap in outcome.overlaps if overlap.start < time < overlap.end]
    assert [overlap.speakers for overlap in covering] == ([active] if len(active) > 1 else [])


@settings(deadline=None)
@given(raw_turns)
def test_speakers_are_exactly_those_of_the_turns(turns):
    outcome = arrange(Found(turns=turns, exclusive=turns), 15.0)
    assert list(dict.fromkeys(turn.speaker for turn in outcome.turns)) == list(outcome.speakers)
    assert all(0 <= turn.start < turn.end <= 15.0 for turn in outcome.turns)


@pytest.mark.parametrize("duration", [0.0, 1.0])
def test_nothing_found(duration):
    assert arrange(Found(), duration).turns == ()
