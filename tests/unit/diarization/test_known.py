"""Known speakers: clips after the recording, names instead of labels, and nothing left of the clips."""

from __future__ import annotations

import numpy as np

from triscribe.diarization.known import KnownSpeaker, appended, named, widened
from triscribe.diarization.options import Diarization, DiarizationOptions
from triscribe.types import SAMPLE_RATE, SpeakerTurn

VOICE = np.ones(3 * SAMPLE_RATE, np.float32)
ADA, BO = KnownSpeaker("Ada", VOICE), KnownSpeaker("Bo", VOICE)
LENGTH_S = 10.0  # so that Ada's clip is at 12 to 15 s, Bo's at 17 to 20 s


def found(*turns: tuple[float, float, str]) -> Diarization:
    made = tuple(SpeakerTurn(*turn) for turn in turns)
    labels = tuple(dict.fromkeys(turn.speaker for turn in made))
    return Diarization(made, made, (), labels, dict.fromkeys(labels, (1.0,)))


def test_clips_come_after_the_recording_with_silence_between():
    whole = appended(np.zeros(10 * SAMPLE_RATE, np.float32), (ADA, BO))
    assert len(whole) == 20 * SAMPLE_RATE
    assert whole[12 * SAMPLE_RATE] == whole[15 * SAMPLE_RATE - 1] == whole[17 * SAMPLE_RATE] == 1
    assert whole[: 12 * SAMPLE_RATE].max() == whole[15 * SAMPLE_RATE : 17 * SAMPLE_RATE].max() == 0


def test_who_has_a_clip_has_its_name_and_strangers_keep_their_label():
    whole = found((0.0, 4.0, "S0"), (3.0, 7.0, "S1"), (7.0, 11.0, "S2"), (12.0, 15.0, "S1"), (17.1, 20.0, "S0"))
    result = named(whole, LENGTH_S, (ADA, BO))
    assert result.speakers == ("Bo", "Ada", "S2")
    assert result.turns[-1] == SpeakerTurn(7.0, 10.0, "S2")
    assert [overlap.speakers for overlap in result.overlaps] == [("Ada", "Bo")]
    assert set(result.embeddings) == {"Bo", "Ada", "S2"}


def test_who_is_only_in_a_clip_is_not_in_the_result():
    result = named(found((0.0, 9.0, "S0"), (12.0, 15.0, "S1")), LENGTH_S, (ADA,))
    assert (result.speakers, set(result.embeddings)) == (("S0",), {"S0"})


def test_a_voice_that_has_little_of_a_clip_is_not_named():
    result = named(found((0.0, 9.0, "S0"), (12.0, 13.4, "S0"), (13.4, 15.0, "S1")), LENGTH_S, (ADA,))
    assert result.speakers == ("S0",)


def test_a_voice_with_two_clips_is_named_after_the_one_it_has_most_of():
    result = named(found((0.0, 9.0, "S0"), (12.0, 14.0, "S0"), (17.0, 20.0, "S0")), LENGTH_S, (ADA, BO))
    assert result.speakers == ("Bo",)


def test_numbers_are_those_of_the_recording():
    assert widened(DiarizationOptions(), 2) == DiarizationOptions()
    assert widened(DiarizationOptions(num_speakers=2), 2) == DiarizationOptions(min_speakers=2, max_speakers=4)
    assert widened(DiarizationOptions(min_speakers=1, max_speakers=3), 1) == DiarizationOptions(
        min_speakers=1, max_speakers=4
    )
