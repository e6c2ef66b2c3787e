import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triscribe.errors import UsageError
from triscribe.speech.chunking import LONG_CONTEXT, ChunkingOptions, cut, cut_as_found, options_for, quietest
from triscribe.types import SAMPLE_RATE, Span

SECOND = SAMPLE_RATE


@st.composite
def files(draw):
    """A file of noise with silent stretches, its spans (some odd), and options."""
    length = draw(st.integers(0, 90 * SECOND))
    samples = np.random.default_rng(draw(st.integers(0, 99))).standard_normal(length).astype(np.float32)
    points = st.integers(0, 91 * SECOND)
    for start in draw(st.lists(points, max_size=6)):
        samples[start : start + SECOND // 2] = 0
    spans = [Span(min(a, b), max(a, b)) for a, b in draw(st.lists(st.tuples(points, points), max_size=6))]
    max_s = draw(st.floats(3, 30))
    options = ChunkingOptions(
        draw(st.floats(0.5, max_s)), max_s, draw(st.floats(0, 5)), draw(st.sampled_from(["pauses", "full"]))
    )
    return samples, draw(st.sampled_from([None, spans])), options


@settings(deadline=None)
@given(files())
def test_nothing_is_lost_nothing_overlaps_nothing_is_too_long(file):
    samples, spans, options = file
    chunks = cut(samples, spans, options)
    covered = np.zeros(len(samples), dtype=np.int8)
    for index, chunk in enumerate(chunks):
        start = round(chunk.start * SECOND)
        assert chunk.index == index
        assert 0 < len(chunk.samples) <= options.max_s * SECOND
        assert np.shares_memory(chunk.samples, samples)
        np.testing.assert_array_equal(chunk.samples, samples[start : start + len(chunk.samples)])
        covered[start : start + len(chunk.samples)] += 1
    assert covered.max(initial=0) <= 1
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)
    for start, end in [(0, len(samples))] if spans is None else spans:
        assert covered[start:end].all()


def test_spans_are_joined_over_short_pauses_up_to_the_target():
    samples = np.ones(60 * SECOND, dtype=np.float32)
    spans = [Span(a * SECOND, b * SECOND) for a, b in [(1, 3), (4, 6), (7, 12), (20, 22), (23, 24)]]
    chunks = cut(samples, spans, ChunkingOptions(target_s=10, max_gap_s=2, packing="pauses"))
    assert [(chunk.start, chunk.end) for chunk in chunks] == [(1, 6), (7, 12), (20, 24)]


def test_full_chunks_take_what_comes_and_part_where_they_must():
    samples = np.ones(60 * SECOND, dtype=np.float32)
    spans = [Span(a * SECOND, b * SECOND) for a, b in [(1, 3), (4, 6), (7, 11), (12, 14), (20, 22)]]
    chunks = cut(samples, spans, ChunkingOptions(target_s=10, max_gap_s=2, packing="full"))
    assert [(chunk.start, chunk.end) for chunk in chunks] == [(1, 11), (12, 14), (20, 22)]


def test_english_and_what_is_not_known_yet_are_cut_shorter_than_other_languages():
    assert options_for("en") == options_for(None) == ChunkingOptions()
    assert options_for("de") == options_for("zh") == LONG_CONTEXT


def test_long_speech_is_cut_in_its_pause():
    rng = np.random.default_rng(0)
    samples = rng.standard_normal(40 * SECOND).astype(np.float32)
    samples[int(24.0 * SECOND) : int(24.4 * SECOND)] *= 0.01
    chunks = cut(samples, [Span(0, len(samples))])
    assert len(chunks) == 2
    assert 24.05 <= chunks[0].end <= 24.35
    assert chunks[0].end == chunks[1].start


def test_a_cut_leaves_no_crumb():
    samples = np.random.default_rng(0).standard_normal(int(30.1 * SECOND)).astype(np.float32)
    samples[int(29.9 * SECOND) :] = 0
    assert min(chunk.duration for chunk in cut(samples, None)) >= 1.0


def test_speech_that_fits_is_never_cut():
    samples = np.ones(30 * SECOND, dtype=np.float32)
    assert len(cut(samples, None, ChunkingOptions(target_s=5))) == 1


def test_digital_silence_is_cut_in_its_middle():
    samples = np.ones(10 * SECOND, dtype=np.float32)
    samples[4 * SECOND : 6 * SECOND] = 0
    assert quietest(samples, 0, len(samples)) == pytest.approx(5 * SECOND, abs=SECOND // 50)


def test_no_speech_gives_no_chunks():
    assert cut(np.zeros(SECOND, dtype=np.float32), []) == []
    assert cut(np.zeros(0, dtype=np.float32), None) == []


def test_hours_take_no_time():
    samples = np.ones(2 * 3600 * SECOND, dtype=np.float32)
    started = time.process_time()
    assert len(cut(samples, None)) >= 240
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "lengths", [{"max_s": 31}, {"max_s": 1}, {"target_s": 0}, {"target_s": 20, "max_s": 10}, {"max_gap_s": -1}]
)
def test_lengths_that_contradict_each_other(lengths):
    with pytest.raises(UsageError):
        ChunkingOptions(**lengths)


@pytest.mark.parametrize("packing", ["full", "pauses"])
def test_a_chunk_is_known_before_all_spans_are(packing):
    """What is found late is not waited for longer than the next chunk takes."""
    taken = []

    def spans():
        for second in range(0, 60, 10):
            taken.append(second)
            yield Span(second * SAMPLE_RATE, (second + 4) * SAMPLE_RATE)

    options = ChunkingOptions(target_s=14.0, packing=packing)
    first = next(cut_as_found(np.zeros(60 * SAMPLE_RATE, dtype=np.float32), spans(), options))
    assert (first.start, first.duration) == (0.0, 4.0)
    assert taken == [0, 10, 20]
