"""The promises about word times, on labelled speech with the real weights."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.marks import needs_data

pytestmark = needs_data

CLIPS = st.integers(0, 39)
NUMBERS = st.sampled_from(["5", "42%", "2025", "$3.50", "3:30pm", "1st", "—", "&", "Москва"])
STRANGE = st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"]), min_size=1, max_size=8)
REAL = settings(max_examples=25, deadline=None, derandomize=True)


def spoken(clip):
    return [word["word"] for word in clip[1]]


def moved(before, after):
    """Largest change of any start or end, seconds."""
    pairs = zip(before, after, strict=True)
    return max((abs(x - y) for a, b in pairs for x, y in ((a.start, b.start), (a.end, b.end))), default=0.0)


def test_boundaries_are_near_the_hand_labels(aligner, clips):
    errors = []
    for audio, words in clips:
        times = aligner.align(audio, [word["word"] for word in words], "en")
        errors += [abs(t.start - w["start"]) for t, w in zip(times, words, strict=True)]
        errors += [abs(t.end - w["end"]) for t, w in zip(times, words, strict=True)]
    median, tail = np.percentile(errors, [50, 90])
    assert median <= 0.012
    assert tail <= 0.045


@REAL
@given(CLIPS, st.lists(STRANGE | NUMBERS, max_size=6), st.floats(0.1, 1.0))
def test_times_are_in_order_inside_the_chunk_and_complete(aligner, clips, index, words, share):
    clip = clips[index]
    audio = clip[0][: int(len(clip[0]) * share)]
    written = [*spoken(clip)[:3], *words, *spoken(clip)[3:]]
    times = aligner.align(audio, written, "en")
    assert len(times) == len(written)
    assert all(0 <= time.start < time.end <= len(audio) / 16_000 for time in times)
    assert all(a.end <= b.start for a, b in itertools.pairwise(times))
    assert all(0 <= time.probability <= 1 for time in times)


@REAL
@given(CLIPS, NUMBERS, st.integers(0, 100))
def test_digits_that_were_added_do_not_move_their_neighbours(aligner, clips, index, number, place):
    clip = clips[index]
    words = spoken(clip)
    place %= len(words) + 1
    before = aligner.align(clip[0], words, "en")
    after = aligner.align(clip[0], [*words[:place], number, *words[place:]], "en")
    assert moved(before, [*after[:place], *after[place + 1 :]]) <= 0.020


@REAL
@given(CLIPS, st.sampled_from([0.0, 1e-4]))
def test_silence_behind_the_last_word_does_not_move_it(aligner, clips, index, level):
    audio, _ = clip = clips[index]
    silence = level * np.random.default_rng(index).standard_normal(5 * 16_000)
    before = aligner.align(audio, spoken(clip), "en")
    after = aligner.align(np.concatenate([audio, silence.astype(np.float32)]), spoken(clip), "en")
    assert moved(before, after) <= 0.050


@pytest.mark.parametrize("change", ["replaced", "dropped", "inserted"])
def test_one_wrong_word_leaves_the_others(aligner, clips, change):
    random = np.random.default_rng(3)
    vocabulary = sorted({word for clip in clips for word in spoken(clip)})
    moves = []
    for clip in clips:
        words = spoken(clip)
        place, other = int(random.integers(len(words))), [str(random.choice(vocabulary))]
        before = aligner.align(clip[0], words, "en")
        if change == "inserted":
            after = aligner.align(clip[0], [*words[:place], *other, *words[place:]], "en")
            after = [*after[:place], *after[place + 1 :]]
        else:
            new = other if change == "replaced" else []
            after = aligner.align(clip[0], [*words[:place], *new, *words[place + 1 :]], "en")
            after = [*after[:place], *after[place + len(new) :]]
            before = [*before[:place], *before[place + 1 :]]
        moves += [moved([a], [b]) for a, b in zip(before, after, strict=True)]
    # Not every word: see the rates in docs/alignment.md.
    assert np.mean(np.array(moves) <= 0.050) >= 0.95


def test_written_numbers_take_the_time_of_the_words_they_are_said_with(aligner, clips):
    audio, words = next(clip for clip in clips if "two" in spoken(clip))
    written = ["2" if word == "two" else word for word in spoken((audio, words))]
    assert aligner.align(audio, written, "en") == aligner.align(audio, spoken((audio, words)), "en")


def test_the_cpu_graph_says_what_the_shipped_one_says(english, clips):
    import onnxruntime

    shipped = onnxruntime.InferenceSession(str(english._description.weights / "asr_waveform_fp16.onnx"))
    for audio, _ in clips[:10]:
        inputs = {"waveform": audio[None], "waveform_lengths": np.array([len(audio)])}
        expected = shipped.run(["log_probs"], inputs)[0][0]
        (found,) = english._emitter([audio])
        np.testing.assert_allclose(np.exp(found), np.exp(expected), atol=0.03)


def test_spelling_in_a_batch_is_spelling_one_by_one(english):
    words = ["muskrat", "archeological", "xylograph", "tadpole", "o", "betide", "notoriety's"]
    speller = english._speller
    together = speller._model.predict(words)
    assert together == [speller._model.predict([word])[0] for word in words]
