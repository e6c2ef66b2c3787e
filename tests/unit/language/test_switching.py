import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triscribe.errors import FailedPreconditionError
from triscribe.language.switching import Spoken, among, chunks_by_language, mix, settle
from triscribe.speech.chunking import ChunkingOptions
from triscribe.types import SAMPLE_RATE, Chunk


def sure(code, probability=0.95):
    return {"en": (1 - probability) / 2, "de": (1 - probability) / 2, "zh": (1 - probability) / 2} | {code: probability}


def codes(spoken):
    return [part.language for part in spoken]


def test_each_window_has_its_language():
    windows = [sure("en"), sure("en"), sure("de"), sure("de"), sure("zh"), sure("en")]
    assert codes(settle(windows, [5.0] * 6)) == ["en", "en", "de", "de", "zh", "en"]
    assert settle(windows, [5.0] * 6)[2].probability == 0.95
    assert settle([], []) == []


@pytest.mark.parametrize(("length_s", "probability"), [(0.8, 0.9), (5.0, 0.6)], ids=["short", "unsure"])
def test_one_short_or_unsure_window_does_not_flip(length_s, probability):
    windows = [sure("en"), sure("en"), sure("de", probability), sure("en")]
    assert codes(settle(windows, [5.0, 5.0, length_s, 5.0])) == ["en"] * 4


def test_a_window_that_says_nothing_goes_with_the_recording():
    windows = [sure("de"), {"en": 0.34, "de": 0.33, "zh": 0.33}]
    assert codes(settle(windows, [5.0, 1.0])) == ["de", "de"]


WINDOW = st.tuples(st.sampled_from(["en", "de", "zh"]), st.floats(0.34, 0.999), st.floats(0.3, 10))


@given(st.lists(WINDOW, max_size=30))
def test_what_is_settled_is_one_of_the_languages_detected(drawn):
    windows, lengths = [sure(code, p) for code, p, _ in drawn], [length for _, _, length in drawn]
    settled = settle(windows, lengths)
    assert len(settled) == len(windows)
    assert all(part.probability == window[part.language] for part, window in zip(settled, windows, strict=True))


def test_no_other_language_than_the_allowed_ones():
    detected = {"en": 0.1, "de": 0.3, "zh": 0.6}
    assert among(detected, ["de", "en"]) == pytest.approx({"de": 0.75, "en": 0.25})
    assert among({"en": 0.0, "de": 1.0}, ["en"]) == {"en": 1.0}
    assert among(detected, []) == pytest.approx(detected)
    with pytest.raises(FailedPreconditionError, match="yue"):
        among(detected, ["en", "yue"])


def test_the_mix_is_weighed_by_length():
    assert mix([{"en": 1.0}, {"de": 1.0}], [3.0, 1.0]) == {"en": 0.75, "de": 0.25}


@given(st.lists(st.tuples(st.sampled_from(["en", "de"]), st.floats(0.5, 9), st.floats(0, 3)), min_size=1, max_size=20))
def test_a_chunk_holds_one_language_and_no_window_is_lost(drawn):
    windows, spoken, position = [], [], 0
    samples = np.zeros(SAMPLE_RATE * 300, np.float32)
    for index, (code, length_s, gap_s) in enumerate(drawn):
        end = position + round(length_s * SAMPLE_RATE)
        windows.append(Chunk(index, position / SAMPLE_RATE, samples[position:end]))
        spoken.append(Spoken(code, 0.9))
        position = end + round(gap_s * SAMPLE_RATE)
    chunks, languages = chunks_by_language(samples, windows, spoken, ChunkingOptions())
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    for window, part in zip(windows, spoken, strict=True):
        inside = [n for n, c in enumerate(chunks) if c.start <= window.start + 1e-6 and c.end >= window.end - 1e-6]
        assert [languages[n].language for n in inside] == [part.language]
    assert all(part.probability == pytest.approx(0.9) for part in languages)
