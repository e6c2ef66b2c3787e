from dataclasses import replace

import pytest

from triscribe_transcribe.options import Options
from triscribe_transcribe.quality import Candidate, Verdict, best, is_made_up, judge

SOUND = Candidate("The quick brown fox jumps over the lazy dog.", tuple(range(12)), -0.3, 0.1, False, 0.0)
LOOP = replace(SOUND, text="and so on " * 30)


@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [
        (SOUND, Verdict.GOOD),
        (LOOP, Verdict.REPETITIVE),
        (replace(SOUND, text="no no no no"), Verdict.GOOD),
        (replace(SOUND, avg_logprob=-1.01), Verdict.LOW_CONFIDENCE),
        (replace(SOUND, no_speech_prob=0.9), Verdict.GOOD),
        (replace(SOUND, no_speech_prob=0.9, avg_logprob=-1.01), Verdict.NO_SPEECH),
        (replace(SOUND, limit_reached=True), Verdict.LIMIT),
        # A loop that runs into the limit is a loop: the ladder goes on, nothing is split.
        (replace(LOOP, limit_reached=True), Verdict.REPETITIVE),
        (replace(SOUND, tokens=tuple(range(69))), Verdict.TOO_DENSE),
        (replace(SOUND, tokens=tuple(range(68))), Verdict.GOOD),
    ],
)
def test_judgement(candidate, verdict):
    assert judge(candidate, 5.0, Options()) is verdict


def test_the_caller_moves_the_gates():
    doubtful = replace(SOUND, avg_logprob=-1.5, no_speech_prob=0.5)
    assert judge(doubtful, 5.0, Options(log_prob_threshold=-2)) is Verdict.GOOD
    assert judge(doubtful, 5.0, Options(no_speech_threshold=0.4)) is Verdict.NO_SPEECH
    assert judge(LOOP, 5.0, Options(compression_ratio_threshold=100)) is Verdict.GOOD


def test_an_empty_text_compresses_to_nothing():
    assert replace(SOUND, text="").compression_ratio == 0.0


def test_of_failures_the_surest_that_is_no_loop_is_kept():
    loop = (replace(LOOP, avg_logprob=-0.1), Verdict.REPETITIVE)
    unsure = (replace(SOUND, avg_logprob=-1.2), Verdict.LOW_CONFIDENCE)
    worse = (replace(SOUND, avg_logprob=-1.8), Verdict.LOW_CONFIDENCE)
    assert best([loop, worse, unsure]) == unsure
    assert best([loop]) == loop


@pytest.mark.parametrize(
    ("avg_logprob", "no_speech_prob", "made_up"),
    [(-2.1, 0.0, True), (-1.1, 0.31, True), (-1.1, 0.29, False), (-1.9, 0.0, False)],
)
def test_a_hopeless_text_is_made_up(avg_logprob, no_speech_prob, made_up):
    candidate = replace(SOUND, avg_logprob=avg_logprob, no_speech_prob=no_speech_prob)
    assert is_made_up(candidate, Verdict.LOW_CONFIDENCE, Options()) is made_up
    assert not is_made_up(candidate, Verdict.GOOD, Options())
    assert not is_made_up(candidate, Verdict.LOW_CONFIDENCE, Options(no_speech_threshold=1))
