import numpy as np
import pytest

from triscribe.speech.endpointer import Endpointer, SpeechEvent
from triscribe.speech.silero import SpeechProbabilities, speech_probabilities
from triscribe.speech.vad import VadOptions
from triscribe.types import SAMPLE_RATE

BLOCK = 4096


def feed(endpointer: Endpointer, samples) -> list[SpeechEvent]:
    events = []
    for start in range(0, len(samples), BLOCK):
        events += endpointer.push(samples[start : start + BLOCK])
    return events + endpointer.finish()


def silence(seconds: float):
    return np.zeros(round(seconds * SAMPLE_RATE / BLOCK) * BLOCK, np.float32)


def test_probabilities_do_not_depend_on_the_blocks(conversation):
    whole = speech_probabilities(conversation.samples)
    model = SpeechProbabilities()
    pieces = [model.push(conversation.samples[i : i + 1000]) for i in range(0, len(conversation.samples), 1000)]
    got = np.concatenate(pieces)
    np.testing.assert_allclose(got, whole[: len(got)], atol=1e-5)


def test_silence_and_clicks_are_no_speech():
    samples = silence(4)
    samples[40_000:40_200] = 0.9
    assert feed(Endpointer(0.6), samples) == []


def test_speech_between_silences_begins_and_ends_once(conversation):
    speech = conversation.part(8.2, 9.8)
    samples = np.concatenate([silence(2), speech, silence(2)])
    begin, end = feed(Endpointer(0.6), samples)
    assert begin.begins
    assert not end.begins
    lead = len(silence(2)) / SAMPLE_RATE
    assert begin.sample / SAMPLE_RATE == pytest.approx(lead + 0.15, abs=0.35)
    assert end.sample / SAMPLE_RATE == pytest.approx(lead + 1.6, abs=0.35)


def test_the_end_of_the_stream_ends_the_speech(conversation):
    events = feed(Endpointer(0.6), conversation.part(8.2, 9.6))
    assert [event.begins for event in events] == [True, False]


@pytest.mark.parametrize(("threshold", "end_threshold"), [(0.25, None), (0.1, None), (0.5, 0.4)])
def test_files_and_streams_have_the_same_thresholds(threshold, end_threshold):
    """A threshold below 0.15 once gave streams a lower threshold below 0, so that speech never ended."""
    options = VadOptions(threshold=threshold, end_threshold=end_threshold)
    endpointer = Endpointer(0.6, options)
    assert (endpointer._start_at, endpointer._end_below) == (options.threshold, options.lower_threshold)
    assert options.lower_threshold > 0


def test_speech_ends_at_a_low_threshold(conversation):
    samples = np.concatenate([conversation.part(8.2, 9.8), silence(4)])
    events = feed(Endpointer(0.6, VadOptions(threshold=0.1)), samples)
    assert [event.begins for event in events] == [True, False]
    assert events[-1].sample < len(samples) - 2 * SAMPLE_RATE
