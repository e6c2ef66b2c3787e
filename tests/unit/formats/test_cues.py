from itertools import pairwise

import pytest
from hypothesis import given

from triscribe.errors import UsageError
from triscribe.formats.base import clean
from triscribe.formats.cues import DEFAULT_RULES, CueRules, _width, cues
from triscribe.types import AudioInfo, Segment, Transcript, Word

from .strategies import patient, segment, transcript, transcripts

SPEECH = (
    "And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country. "
    "It was said in January, on a cold day in Washington, and nobody who stood there forgot it."
)


def texts(found):
    return [" ".join(cue.lines) for cue in found]


@patient
@given(transcripts())
def test_cues_are_full_ordered_apart_and_within_their_lines(random_transcript):
    found = cues(random_transcript, DEFAULT_RULES, name_speakers=False)
    for cue in found:
        assert cue.start_ms < cue.end_ms <= cue.start_ms + 7000
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < _width(line) <= 42 and line == line.strip() for line in cue.lines)
    assert all(a.end_ms <= b.start_ms for a, b in pairwise(found))


@patient
@given(transcripts())
def test_no_text_is_lost_or_repeated(random_transcript):
    found = cues(random_transcript, DEFAULT_RULES, name_speakers=False)
    shown = "".join(line for cue in found for line in cue.lines).replace(" ", "")
    spoken = ""
    for part in random_transcript.segments:
        words = [clean(word.word) for word in part.words]
        spoken += "".join(words) if any(words) else clean(part.text)
    assert shown == spoken.replace(" ", "")


@pytest.mark.parametrize("timed", [True, False])
def test_long_speech_breaks_at_punctuation(timed):
    found = cues(transcript(segment(SPEECH, 0, 14, timed=timed)), DEFAULT_RULES, name_speakers=False)
    assert " ".join(texts(found)) == SPEECH
    assert all(text[-1] in ",." for text in texts(found))
    assert found[0].start_ms == 0
    assert found[-1].end_ms == 14_000


def test_times_come_from_words_and_pauses_are_not_spanned():
    words = (
        Word("Wait.", 1.0, 1.9, 0.9, "aligned"),
        Word("What?", 8.0, 8.9, 0.9, "aligned"),
    )
    part = Segment(0.0, 10.0, "Wait. What?", "en", -0.2, 0.0, 1.0, 0.0, words)
    found = cues(transcript(part), DEFAULT_RULES, name_speakers=False)
    assert [(cue.start_ms, cue.end_ms, cue.lines) for cue in found] == [
        (1000, 1900, ("Wait.",)),
        (8000, 8900, ("What?",)),
    ]


def test_short_words_stay_on_screen_unless_the_next_cue_starts():
    found = cues(
        transcript(segment("Yes.", 1, 1.1, timed=True), segment("No.", 1.5, 1.6, timed=True)),
        DEFAULT_RULES,
        name_speakers=False,
    )
    assert [(cue.start_ms, cue.end_ms) for cue in found] == [(1000, 1500), (1500, 2300)]


def test_a_change_of_speaker_inside_a_segment_starts_a_cue_and_names_the_speaker():
    words = tuple(
        Word(text, i, i + 0.9, 0.9, "aligned", speaker)
        for i, (text, speaker) in enumerate([("Hello.", "A"), ("Hi,", "B"), ("you.", "B"), ("Right.", "A")])
    )
    part = Segment(0, 4, "Hello. Hi, you. Right.", "en", -0.2, 0.0, 1.0, 0.0, words, "A")
    found = cues(transcript(part), DEFAULT_RULES, name_speakers=True)
    assert texts(found) == ["A: Hello.", "B: Hi, you.", "A: Right."]
    again = cues(transcript(part, segment("So.", 5, 6, speaker="A")), DEFAULT_RULES, name_speakers=True)
    assert texts(again)[-1] == "So."


def test_chinese_lines_hold_21_characters_and_take_no_spaces():
    text = "我们今天讨论的是语音识别系统的设计，它需要处理很多不同的语言和口音。大家都觉得这个问题很有意思。"
    found = cues(transcript(segment(text, 0, 12)), DEFAULT_RULES, name_speakers=False)
    lines = [line for cue in found for line in cue.lines]
    assert "".join(lines) == text
    assert max(len(line) for line in lines) <= 21
    assert not any(line[0] in "，。" for line in lines)


def test_words_without_spaces_between_them_stay_together():
    words = tuple(Word(char, i, i + 1, 0.9, "attention") for i, char in enumerate("你好吗"))
    part = Segment(0, 3, "你好吗？", "zh", -0.2, 0.0, 1.0, 0.0, words)
    assert texts(cues(transcript(part), DEFAULT_RULES, name_speakers=False)) == ["你好吗？"]


def test_two_lines_are_about_equally_long():
    found = cues(
        transcript(segment("These words are too many for a single line here.", 0, 4, timed=True)),
        DEFAULT_RULES,
        name_speakers=False,
    )
    first, second = found[0].lines
    assert abs(len(first) - len(second)) <= 8


def test_an_hour_of_one_segment_is_laid_out():
    found = cues(transcript(segment(SPEECH * 100, 0, 3600), duration=3600), DEFAULT_RULES, name_speakers=False)
    assert "".join(texts(found)).replace(" ", "") == (SPEECH * 100).replace(" ", "")


def test_impossible_rules_are_refused():
    with pytest.raises(UsageError):
        CueRules(line_width=1)


def test_nobody_spoke():
    silence = Transcript(AudioInfo("-", 3.0), "en", 0.5, "base", "transcribe", ())
    assert cues(silence, DEFAULT_RULES, name_speakers=True) == []
