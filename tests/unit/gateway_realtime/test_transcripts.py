"""The deltas are the transcript, whatever the hypotheses were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triscribe.gateway.realtime.transcripts import ItemText
from triscribe.spacing import joined
from triscribe.types import Segment, Word


def segment(text: str, start: float = 0.0, language: str = "en", *, words: list[str] | None = None) -> Segment:
    """Half a second a word."""
    written = text.split() if words is None else words
    timed = tuple(
        Word(word, start + number / 2, start + (number + 1) / 2, 0.5, "aligned") for number, word in enumerate(written)
    )
    end = timed[-1].end if timed else start + 1
    return Segment(start, end, text, language, -0.5, 0.0, 1.0, 0.0, timed)


def said(*pieces) -> str:
    return "".join(piece.text for part in pieces for piece in part)


def test_finals_alone_are_sent_as_the_transcript_joins_them():
    item = ItemText()
    segments = [segment(" One two."), segment(" Three.", 5.0)]
    first, second = item.settle(segments), item.settle([segment("Four", 8.0)])
    assert said(first, second) == said(item.pieces) == "One two. Three. Four"
    assert [piece.text for piece in first] == ["One", " two.", " Three."]


def test_languages_without_spaces_get_none():
    item = ItemText()
    item.settle([segment("今天天气", language="zh", words=["今天", "天气"])])
    item.settle([segment("很好。", 3.0, "zh", words=["很好"])])
    assert [piece.text for piece in item.pieces] == ["今天", "天气", "很好。"]


def test_a_segment_without_words_is_one_piece():
    item = ItemText()
    (piece,) = item.settle([segment("No times here.", words=[])])
    assert piece.text == "No times here."
    assert piece.logprob() == {"token": piece.text, "bytes": list(piece.text.encode()), "logprob": pytest.approx(-0.5)}


def test_a_word_is_sent_early_once_two_hypotheses_have_it():
    item = ItemText()
    assert item.look([segment("Oh hello")]) == []
    assert said(item.look([segment("Oh hello, I didn't")])) == "Oh"  # the comma is new
    assert said(item.look([segment("Oh hello, I did not")])) == " hello, I"
    assert said(item.settle([segment("Oh hello, I did not know.")])) == " did not know."
    assert said(item.pieces) == "Oh hello, I did not know."


def test_punctuation_that_changes_does_not_stop_what_follows():
    item = ItemText()
    item.look([segment("Hello,")])
    assert said(item.look([segment("Hello, you")])) == "Hello,"
    item.look([segment("Hello. You there")])
    assert said(item.look([segment("Hello. You there?")])) == " You"
    assert said(item.settle([segment("Hello. You there?")])) == " there?"
    assert said(item.pieces) == "Hello, You there?"


def test_what_was_sent_stays_where_the_final_says_something_else():
    item = ItemText()
    item.look([segment("I scream every")])
    item.look([segment("I scream every")])
    assert said(item.settle([segment("Ice cream every day now")])) == " day now"
    assert said(item.pieces) == "I scream every day now"


def test_words_beyond_the_final_wait_for_the_next_one():
    item = ItemText()
    item.look([segment("One. Two three")])
    item.look([segment("One. Two three")])
    assert item.settle([segment("One.")]) == []
    assert said(item.settle([segment("Two three four.", 0.5)])) == " four."
    assert said(item.pieces) == "One. Two three four."


texts = st.lists(st.sampled_from(["I", "scream", "Ice", "cream,", "every", "day."]), min_size=1, max_size=6)
steps = st.lists(st.tuples(st.booleans(), texts), max_size=10)


@given(steps)
def test_the_deltas_are_the_transcript(told):
    item, deltas, at = ItemText(), [], 0.0
    for is_final, words in told:
        heard = [segment(" ".join(words), at)]
        deltas.append(item.settle(heard) if is_final else item.look(heard))
        at = heard[0].end if is_final else at
    assert said(*deltas) == said(item.pieces)


@given(st.lists(texts, max_size=6))
def test_without_interims_the_transcript_is_that_of_the_segments(told):
    item = ItemText()
    finals = [segment(" ".join(words), 10.0 * number) for number, words in enumerate(told)]
    for final in finals:
        item.settle([final])
    assert said(item.pieces) == joined((final.text, final.language) for final in finals)
