"""What the accuracy benchmark counts."""

import pytest
from benchmarks.quality.scoring import Errors, difference, doubled, errors, recall, scorer


@pytest.mark.parametrize(
    ("language", "reference", "text", "expected"),
    [
        ("en", "it's the 2nd of May", "It is the second of may.", Errors(units=6)),
        ("en", "red green blue", "red grin blue sky", Errors(1, 0, 1, 3)),
        ("en", "a b c d", "", Errors(deleted=4, units=4)),
        ("en", "good morning", "morning", Errors(0, 1, 0, 2)),
        ("zh", "甚至出現", "甚至 出现。", Errors(units=4)),
        ("de", "Guten Tag", "guten Tag auch", Errors(0, 0, 1, 2)),
    ],
)
def test_errors_by_kind(language, reference, text, expected):
    assert errors(language, reference, text) == expected


def test_the_rate_is_over_all_units_not_the_mean_of_rates():
    assert scorer("en")(["red", "red green blue"], ["grey", "red green blue"]) == pytest.approx(0.25)
    assert recall("red green blue white", "red blue white black") == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("language", "text", "count"),
    [
        ("en", "and then he went home", 0),
        ("en", "and then he went home. And then he went home!", 1),
        ("en", "no no no no no no", 0),
        ("en", "so: he said that it was late, he said that it was late; fine", 1),
        ("en", "we go there now and then " * 4, 2),
        ("zh", "今天天气很好我们出去玩" * 2, 1),
    ],
)
def test_doubled_sentences(language, text, count):
    assert doubled(language, text) == count


def test_a_difference_has_an_interval_around_it():
    better = {str(n): Errors(substituted=1, units=10) for n in range(20)}
    worse = {str(n): Errors(substituted=1 + n % 3, units=10) for n in range(20)}
    speakers = {name: name for name in better}
    found = difference(worse, better, speakers)
    assert found.difference == pytest.approx(9.5)
    assert 0 < found.low < found.difference < found.high
    assert difference(better, worse, speakers).difference == pytest.approx(-9.5)
    assert difference(better, better, speakers) == difference(worse, worse, speakers)


def test_recordings_of_one_speaker_are_drawn_together():
    """Four recordings of two speakers are two facts, not four: the interval is wider."""
    even = {name: Errors(substituted=2, units=10) for name in "abcd"}
    uneven = {"a": Errors(units=10), "b": Errors(units=10), **{name: Errors(substituted=4, units=10) for name in "cd"}}
    alone = difference(uneven, even, {name: name for name in "abcd"})
    together = difference(uneven, even, {"a": "x", "b": "x", "c": "y", "d": "y"})
    assert alone.difference == together.difference == 0
    assert together.high == pytest.approx(20)
    assert together.low == pytest.approx(-20)
    assert together.high - together.low >= alone.high - alone.low
