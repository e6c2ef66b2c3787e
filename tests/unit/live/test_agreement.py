from triscribe.live.agreement import LocalAgreement, longest_pause
from triscribe.types import Segment, Word


def segment(text: str, start: float) -> Segment:
    words = [Word(w, start + i * 0.5, start + i * 0.5 + 0.4, 1.0, "aligned") for i, w in enumerate(text.split())]
    return Segment(words[0].start, words[-1].end, text, "en", -0.1, 0.0, 1.0, 0.0, tuple(words))


FIRST = segment("One two three four five six seven.", 0.0)
SECOND = segment("Eight nine ten.", 4.0)


def test_one_hypothesis_agrees_with_nothing():
    agreement = LocalAgreement()
    agreement.update([FIRST, SECOND])
    assert agreement.agreed == 0
    assert agreement.complete_until(0.0, [FIRST, SECOND]) is None


def test_case_and_punctuation_are_no_disagreement():
    agreement = LocalAgreement()
    agreement.update([segment("one, Two three", 0.0)])
    agreement.update([segment("One two. Three four", 0.0)])
    assert agreement.agreed == 3


def test_a_sentence_is_complete_when_a_word_after_it_is_agreed():
    agreement = LocalAgreement()
    agreement.update([FIRST])
    agreement.update([FIRST, SECOND])
    assert agreement.complete_until(0.0, [FIRST, SECOND]) is None  # nothing after it was agreed
    agreement.update([FIRST, SECOND])
    cut = agreement.complete_until(0.0, [FIRST, SECOND])
    assert cut == (FIRST.end + SECOND.start) / 2


def test_a_changed_word_keeps_it_open():
    agreement = LocalAgreement()
    agreement.update([segment("One two three for five six seven.", 0.0), SECOND])
    agreement.update([FIRST, SECOND])
    assert agreement.agreed == 3
    assert agreement.complete_until(0.0, [FIRST, SECOND]) is None


def test_a_short_stretch_waits():
    agreement, short = LocalAgreement(), [segment("Mr.", 0.0), segment("Smith came in.", 0.6)]
    agreement.update(short)
    agreement.update(short)
    assert agreement.complete_until(0.0, short) is None


def test_after_a_cut_only_the_rest_counts():
    agreement = LocalAgreement()
    agreement.update([FIRST, SECOND])
    assert agreement.cut_before(3.7, [FIRST, SECOND]) == [SECOND]
    agreement.update([SECOND])
    assert agreement.agreed == 3


def test_the_longest_pause_is_sought_in_the_later_half():
    assert longest_pause([FIRST, SECOND]) == (FIRST.end + SECOND.start) / 2
    assert longest_pause([]) is None
