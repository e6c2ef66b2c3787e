import sys
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.vad import get_vad_model
from hypothesis import given
from hypothesis import strategies as st

from tests.harness import sounds
from triscribe.errors import UsageError
from triscribe.speech import silero, vad
from triscribe.speech.silero import speech_probabilities
from triscribe.speech.vad import VadOptions, spans_as_found, speech_spans
from triscribe.types import SAMPLE_RATE, Span


def voice_like(seconds, seed=0):
    """A buzz with formants and syllables: Silero takes it for speech in places, which is enough to test on."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    buzz = sum(np.sin(k * phase) / k for k in range(1, 30))
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time)
    noise = np.random.default_rng(seed).standard_normal(len(time)) * 0.005
    return (0.1 * buzz * syllables + noise).astype(np.float32)


@pytest.mark.parametrize("length", [1, 511, 512, 513, 5 * SAMPLE_RATE + 100, 9 * SAMPLE_RATE])
def test_blocks_change_nothing(length, monkeypatch):
    monkeypatch.setattr(silero, "_BLOCK_WINDOWS", 50)
    samples = voice_like(10)[:length]
    # One more window: faster-whisper overwrites the end of the last one with zeros.
    whole = get_vad_model()(np.pad(samples, (0, -length % 512 + 512))).ravel()[:-1]
    np.testing.assert_allclose(speech_probabilities(samples), whole, atol=1e-5)


def test_no_samples_no_speech():
    assert speech_spans(np.zeros(0, dtype=np.float32)) == []
    assert len(speech_probabilities(np.zeros(0, dtype=np.float32))) == 0


@pytest.mark.parametrize("level", [0.0, 0.02])
def test_silence_and_noise_are_not_speech(level):
    noise = np.random.default_rng(1).standard_normal(20 * SAMPLE_RATE).astype(np.float32) * np.float32(level)
    assert speech_spans(noise) == []


def spans_of(probabilities, monkeypatch, length=None, **options):
    monkeypatch.setattr(vad, "blocks", lambda _samples: [np.array(probabilities, dtype=np.float32)])
    samples = np.zeros(len(probabilities) * 512 if length is None else length, dtype=np.float32)
    return speech_spans(samples, VadOptions(**{"threshold": 0.5, "pad_s": 0.0, "min_silence_s": 0.096} | options))


def test_speech_starts_high_and_ends_low(monkeypatch):
    found = spans_of([0, 0.4, 0.6, 0.4, 0.4, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1], monkeypatch)
    assert found == [Span(2 * 512, 5 * 512)]


def test_short_pauses_belong_to_the_speech(monkeypatch):
    assert spans_of([0.9, 0, 0, 0.9, 0, 0, 0, 0.9], monkeypatch) == [Span(0, 4 * 512), Span(7 * 512, 8 * 512)]


def test_short_speech_can_be_dropped(monkeypatch):
    probabilities = [0.9, 0, 0, 0, 0.9, 0.9, 0.9]
    assert spans_of(probabilities, monkeypatch, min_speech_s=0.09) == [Span(4 * 512, 7 * 512)]


def test_padding_meets_in_the_middle_and_stays_in_the_file(monkeypatch):
    probabilities = [0.9, 0, 0, 0, 0, 0.9]
    assert spans_of(probabilities, monkeypatch, length=5 * 512 + 10, pad_s=1.0) == [
        Span(0, 3 * 512),
        Span(3 * 512, 5 * 512 + 10),
    ]


@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.05, 0.3, 0.9]), min_size=1, max_size=12), max_size=8),
    st.sampled_from([0.0, 0.032, 0.1, 0.5]),
    st.sampled_from([0.0, 0.064, 0.2]),
    st.sampled_from([0.0, 0.05, 1.0]),
)
def test_spans_found_block_by_block_are_those_of_the_whole(blocks, min_silence_s, min_speech_s, pad_s):
    arrays = [np.array(block, dtype=np.float32) for block in blocks]
    samples = np.zeros(512 * sum(map(len, blocks)), dtype=np.float32)
    options = VadOptions(threshold=0.5, min_silence_s=min_silence_s, min_speech_s=min_speech_s, pad_s=pad_s)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vad, "blocks", lambda _samples: [np.concatenate(arrays)] if arrays else [])
        whole = speech_spans(samples, options)
        patch.setattr(vad, "blocks", lambda _samples: arrays)
        assert speech_spans(samples, options) == whole


def test_a_span_is_known_before_the_rest_is_looked_at(monkeypatch):
    looked_at = []

    def blocks(_samples):
        for number in range(3):
            looked_at.append(number)
            yield np.array([0.9, 0, 0, 0, 0.9, 0, 0, 0, 0.9, 0], dtype=np.float32)

    monkeypatch.setattr(vad, "blocks", blocks)
    options = VadOptions(threshold=0.5, min_silence_s=0.096, pad_s=0.0)
    first = next(spans_as_found(np.zeros(30 * 512, dtype=np.float32), options))
    assert first.start == 0
    assert looked_at == [0]


@pytest.mark.parametrize("options", [{"threshold": 0}, {"threshold": 0.3, "end_threshold": 0.4}, {"pad_s": -1}])
def test_options_that_contradict_each_other(options):
    with pytest.raises(UsageError):
        VadOptions(**options)


def test_quiet_speech_after_a_long_sound_is_found_from_its_start(conversation):
    """Applause leaves the model in a state in which it misses the start of what follows: it is looked at afresh."""
    voice = conversation.samples[: 15 * SAMPLE_RATE]
    alone = next(span for span in speech_spans(voice) if span.end - span.start > 2 * SAMPLE_RATE)
    sound = sounds.applause(20.48)
    found = [span for span in speech_spans(np.concatenate([sound, voice])) if span.end > len(sound)]
    assert found[0].start - len(sound) <= alone.start + 0.2 * SAMPLE_RATE


def test_what_is_looked_at_again_does_not_depend_on_the_blocks(conversation, monkeypatch):
    voice = conversation.samples[: 15 * SAMPLE_RATE]
    samples = np.concatenate([sounds.applause(20.48), voice, np.zeros(10 * SAMPLE_RATE, np.float32), voice])
    whole = speech_spans(samples)
    monkeypatch.setattr(silero, "_BLOCK_WINDOWS", 97)
    assert speech_spans(samples) == whole


def test_only_what_lies_before_speech_is_looked_at_again(monkeypatch):
    probabilities = np.zeros(600, np.float32)
    probabilities[300:310] = 0.9
    asked = []

    def fresh(part):
        asked.append(len(part))
        return np.ones(len(part) // 512)

    monkeypatch.setattr(vad, "speech_probabilities", fresh)
    assert vad._look_again(np.zeros(600 * 512, np.float32), probabilities, 0, [Span(300 * 512, 310 * 512)], 0)
    assert asked == [250 * 512]
    assert probabilities[: 50 + 16].max() == 0
    assert probabilities[50 + 16 : 310].min() > 0.8
    assert probabilities[310:].max() == 0
    assert not vad._look_again(np.zeros(600 * 512, np.float32), np.zeros(600, np.float32), 0, [], 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells what is in memory")
def test_a_long_recording_that_lies_in_a_file_does_not_fill_the_memory(tmp_path):
    """Ten minutes, of which voice detection may hold five; what is read after it is as it was."""
    length = 10 * 60 * SAMPLE_RATE
    path = tmp_path / "samples"
    written = np.resize(voice_like(10), length)
    written.tofile(path)
    samples = np.split(np.memmap(path, np.float32, mode="r+"), [1000])[1]
    most = 0
    for _ in silero.blocks(samples):
        most = max(most, resident_bytes(path))
    assert most > 0.9 * written.nbytes, "the whole recording: nothing lets go of it here"
    speech_spans(samples)
    assert resident_bytes(path) < 0.6 * written.nbytes
    np.testing.assert_array_equal(samples, written[1000:])


def resident_bytes(path):
    """How much of a mapped file is in the memory of this process."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    starts = [number for number, line in enumerate(lines) if line.endswith(str(path))]
    found = [next(line for line in lines[start:] if line.startswith("Rss:")) for start in starts]
    return sum(1024 * int(line.split()[1]) for line in found)


def test_quiet_speech_is_found_in_every_part_of_a_long_gap(conversation):
    voice = conversation.samples[: 12 * SAMPLE_RATE]
    quiet = 0.01 * voice
    places = (60, 290, 420)  # seconds; the second lies across two of the parts that are looked at by themselves
    samples = np.zeros(480 * SAMPLE_RATE, np.float32)
    samples[: len(voice)] = voice
    for place in places:
        samples[place * SAMPLE_RATE :][: len(quiet)] = quiet
    expected_s = sum(span.end - span.start for span in speech_spans(voice)) / SAMPLE_RATE
    found = speech_spans(samples)
    for place in places:
        inside = [span for span in found if place - 1 < span.start / SAMPLE_RATE < place + 13]
        assert sum(span.end - span.start for span in inside) / SAMPLE_RATE == pytest.approx(expected_s, abs=1.5)
