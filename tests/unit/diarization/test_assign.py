from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triscribe.diarization.assign import assign
from triscribe.diarization.options import Diarization
from triscribe.types import Segment, SpeakerTurn, Word


def word(text, start, end):
    return Word(text, start, end, 0.9, "aligned")


def segment(text, words=(), start=0.0, end=10.0):
    return Segment(start, end, text, "en", -0.1, 0.0, 1.0, 0.0, tuple(words))


def diarized(*turns):
    return Diarization(exclusive_turns=tuple(SpeakerTurn(*turn) for turn in turns))


def speaker_of(start, end, *turns, **limits):
    (result,) = assign((segment("x", [word("x", start, end)]),), diarized(*turns), **limits)
    return result.words[0].speaker


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (1.0, 2.0, "A"),
        (4.0, 5.9, "A"),  # 1 s of A, 0.9 s of B
        (4.9, 5.8, "B"),
        (4.5, 5.5, "A"),  # a tie: both turns touch the middle, the earlier one is taken
        (2.0, 2.0, "A"),  # a word without length
        (9.5, 9.7, "B"),  # in a gap, B is 0.5 s away
        (13.0, 13.2, None),
    ],
)
def test_one_word(start, end, expected):
    assert speaker_of(start, end, (0.0, 5.0, "A"), (5.0, 9.0, "B"), max_gap_s=1.0) == expected


def test_a_gap_goes_to_the_nearer_side():
    turns = ((0.0, 1.0, "A"), (2.0, 3.0, "B"))
    assert speaker_of(1.1, 1.3, *turns) == "A"
    assert speaker_of(1.7, 1.9, *turns) == "B"


def test_several_short_turns_outweigh_a_longer_one():
    assert speaker_of(0.0, 1.0, (0.0, 0.3, "A"), (0.3, 0.7, "B"), (0.7, 1.0, "A")) == "A"


def test_a_tie_goes_to_the_speaker_nearest_to_the_middle():
    assert speaker_of(0.0, 1.0, (0.0, 0.2, "A"), (0.4, 0.6, "B")) == "B"


def test_nobody_spoke():
    assert speaker_of(0.0, 1.0) is None


def test_a_segment_splits_where_the_speaker_changes():
    words = [word("So,", 0, 1), word("yes?", 1, 2), word("No.", 3, 4)]
    parts = assign((segment("So, yes?  No.", words, end=5.0),), diarized((0.0, 2.5, "A"), (2.5, 5.0, "B")))
    assert [(p.text, p.start, p.end, p.speaker, len(p.words)) for p in parts] == [
        ("So, yes?", 0.0, 2, "A", 2),
        ("No.", 3, 5.0, "B", 1),
    ]


def test_languages_without_spaces_keep_none():
    words = [word("今日", 0, 1), word("は", 1, 2), word("はい", 3, 4)]
    parts = assign((segment("今日ははい", words),), diarized((0.0, 2.5, "A"), (2.5, 5.0, "B")))
    assert [part.text for part in parts] == ["今日は", "はい"]


def test_text_that_is_not_made_of_the_words_is_written_from_them():
    words = [word("one", 0, 1), word("two", 3, 4)]
    parts = assign((segment("1 2", words),), diarized((0.0, 2.0, "A"), (2.0, 5.0, "B")))
    assert [part.text for part in parts] == ["one", "two"]


def test_a_segment_without_words_goes_to_the_majority():
    (result,) = assign((segment("hm", start=0.0, end=3.0),), diarized((0.0, 1.0, "A"), (1.0, 3.0, "B")))
    assert (result.speaker, result.words) == ("B", ())


turns = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9), st.sampled_from("ABC")), max_size=12)
words = st.lists(st.tuples(st.text("abc'.,", min_size=1, max_size=4), st.integers(0, 9)), min_size=1, max_size=20)


@settings(deadline=None)
@given(turns, words)
def test_nothing_is_lost_and_parts_have_one_speaker(random_turns, random_words):
    time, exclusive = 0.0, []
    for length, gap, speaker in random_turns:
        exclusive.append((time + gap / 10, time + gap / 10 + length / 10, speaker))
        time = exclusive[-1][1]
    spoken = [word(text, i * 0.4, i * 0.4 + length / 25) for i, (text, length) in enumerate(random_words)]
    whole = segment(" ".join(text for text, _ in random_words), spoken)
    parts = assign((whole,), diarized(*exclusive))
    assert "".join(part.text for part in parts).replace(" ", "") == whole.text.replace(" ", "")
    assert [w.word for part in parts for w in part.words] == [w.word for w in spoken]
    assert all({w.speaker for w in part.words} == {part.speaker} for part in parts)
    assert all(a.speaker != b.speaker for a, b in pairwise(parts))
    assert (parts[0].start, parts[-1].end) == (whole.start, whole.end)


@settings(deadline=None)
@given(turns, st.integers(0, 200), st.integers(0, 30))
def test_the_search_agrees_with_looking_at_every_turn(random_turns, start, length):
    time, exclusive = 0.0, []
    for duration, gap, speaker in random_turns:
        exclusive.append((time + gap / 10, time + gap / 10 + duration / 10, speaker))
        time = exclusive[-1][1]
    start, end = start / 10 + 0.03, start / 10 + length / 10 + 0.03
    shares = {
        s: sum(max(0.0, min(end, e) - max(start, b)) for b, e, other in exclusive if other == s)
        for _, _, s in exclusive
    }
    best = max(shares.values(), default=0.0)
    found = speaker_of(start, end, *exclusive, max_gap_s=0.5)
    if best > 1e-9:
        assert shares[found] == pytest.approx(best, abs=0.0011)
    else:
        near = [s for b, e, s in exclusive if max(b - end, start - e, 0.0) <= 0.5]
        assert (found in near) if near else (found is None)
