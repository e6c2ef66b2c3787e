import dataclasses
from itertools import pairwise

import pytest
import wcwidth
from hypothesis import given

from triscribe.errors import UsageError
from triscribe.formats.cues import cues
from triscribe.formats.options import DEFAULTS, WriteOptions
from triscribe.spacing import clean
from triscribe.types import AudioInfo, Segment, Transcript, Word

from .strategies import limits, orderly_transcripts, patient, segment, transcript, transcripts

SPEECH = (
    "And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country. "
    "It was said in January, on a cold day in Washington, and nobody who stood there forgot it."
)


def texts(found):
    return [" ".join(cue.lines) for cue in found]


def width(line):
    return wcwidth.wcswidth(line)


def spoken_words(random_transcript):
    return [word for part in random_transcript.segments for word in part.words]


def with_their_words(found, words):
    """Each cue with the words whose characters it shows, told by counting characters."""
    owners = [word for word in words for _ in clean(word.word).replace(" ", "")]
    for cue in found:
        shown = "".join(cue.lines).replace(" ", "")
        yield cue, owners[: len(shown)]
        owners = owners[len(shown) :]
    assert owners == []


@patient
@given(transcripts(), limits())
def test_cues_keep_their_limits_whatever_the_words(random_transcript, options):
    found = cues(random_transcript, options, name_speakers=True)
    for cue in found:
        assert cue.start_ms < cue.end_ms <= cue.start_ms + round(options.max_s * 1000)
        assert 1 <= len(cue.lines) <= options.max_lines
        for line in cue.lines:
            assert wcwidth.width(line, control_codes="ignore") <= options.max_line_width
            assert line
            assert line == line.strip()
        for word in (word for row in cue.rows for word in row):
            assert cue.start_ms <= word.start_ms <= cue.end_ms
            assert cue.start_ms <= word.end_ms <= cue.end_ms
    for cue, following in pairwise(found):
        room_ms = following.start_ms - cue.start_ms
        assert cue.end_ms <= following.start_ms - min(round(options.gap_s * 1000), room_ms // 2)


@patient
@given(transcripts(), limits())
def test_no_text_is_lost_or_repeated(random_transcript, options):
    found = cues(random_transcript, options, name_speakers=False)
    shown = "".join(line for cue in found for line in cue.lines).replace(" ", "")
    spoken = ""
    for part in random_transcript.segments:
        words = [clean(word.word) for word in part.words]
        spoken += "".join(words) if any(words) else clean(part.text)
    assert shown == spoken.replace(" ", "")


@patient
@given(orderly_transcripts(), limits())
def test_every_word_is_shown_once_in_one_cue_of_its_speaker(random_transcript, options):
    words = spoken_words(random_transcript)
    for cue, owners in with_their_words(cues(random_transcript, options, name_speakers=False), words):
        assert {word.speaker for word in owners} == {cue.speaker}


@patient
@given(orderly_transcripts(), limits())
def test_cues_are_timed_by_their_words(random_transcript, options):
    seen = set()
    for cue, owners in with_their_words(
        cues(random_transcript, options, name_speakers=False), spoken_words(random_transcript)
    ):
        first = owners[0]
        if id(first) not in seen:  # else the rest of a word that is longer than a cue
            assert cue.start_ms == round(first.start * 1000)
        seen |= {id(word) for word in owners}
        shown = [word for row in cue.rows for word in row]
        assert [word.start_ms for word in shown] == sorted(word.start_ms for word in shown)
        assert all(word.timed for word in shown)


@patient
@given(orderly_transcripts(), limits())
def test_cues_stay_until_they_are_read_unless_something_else_must_appear(random_transcript, options):
    found = cues(random_transcript, options, name_speakers=False)
    duration_ms = round(random_transcript.audio.duration * 1000)
    for cue, following in zip(found, [*found[1:], None], strict=False):
        read_s = sum(width(line) for line in cue.lines) / options.reading_speed
        may_s = [options.max_s, (duration_ms - cue.start_ms) / 1000]
        if following:
            room_ms = following.start_ms - cue.start_ms
            may_s.append((room_ms - min(round(options.gap_s * 1000), room_ms // 2)) / 1000)
        assert (cue.end_ms - cue.start_ms) / 1000 >= min(max(read_s, options.min_s), *may_s) - 0.002


@patient
@given(orderly_transcripts(), limits())
def test_lines_break_where_they_may(random_transcript, options):
    closing, opening = "、。，！？」』）》ー,.!?", "「『（《"
    for cue in cues(random_transcript, options, name_speakers=False):
        for above, below in pairwise(cue.lines):
            if options.max_line_width >= 20:  # the strategies' words and their punctuation fit
                assert below[0] not in closing
                assert above[-1] not in opening


@pytest.mark.parametrize("timed", [True, False])
def test_long_speech_breaks_at_punctuation(timed):
    found = cues(transcript(segment(SPEECH, 0, 14, timed=timed)), DEFAULTS, name_speakers=False)
    assert " ".join(texts(found)) == SPEECH
    assert all(text[-1] in ",." for text in texts(found))
    assert found[0].start_ms == 0
    assert found[-1].end_ms == 14_000


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize(
    ("language", "text", "stays"),
    [
        ("en", "The man who came to our door was Mr. Jones from the house at the corner.", "Mr. Jones"),
        ("en", "The very first of these books was by J. Smith who wrote all of the others.", "J. Smith"),
        ("en", "We were told that nobody in the U.K. and in France had said a single word.", "U.K. and"),
        ("de", "Wir sind alle zusammen endlich am 3. Mai in der neuen Wohnung angekommen.", "3. Mai"),
        ("de", "Du kannst hier in der Stadt z.B. heute noch ins Theater gehen, glaube ich.", "z.B. heute"),
        ("ru", "Мы все вместе поедем туда т.е. завтра или может быть уже послезавтра.", "т.е. завтра"),
    ],
)
def test_cues_do_not_break_where_a_full_stop_ends_no_sentence(language, text, stays, timed):
    part = dataclasses.replace(segment(text, 0, 7, timed=timed), language=language)
    found = texts(cues(transcript(part), WriteOptions(max_lines=1), name_speakers=False))
    assert len(found) == 2
    assert any(stays in cue for cue in found)


@pytest.mark.parametrize(("task", "ends"), [("transcribe", False), ("translate", True)])
def test_sentences_are_those_of_the_language_of_the_text(task, ends):
    """In German "20. Dann" could be an ordinal number; a translation is English, whatever was spoken."""
    part = dataclasses.replace(
        segment("All of them came here at 20. Then one more went away to sea.", 0, 7), language="de"
    )
    spoken = dataclasses.replace(transcript(part), task=task)
    first, _ = texts(cues(spoken, WriteOptions(max_lines=1), name_speakers=False))
    assert first.endswith("20.") is ends


def test_times_come_from_words_and_pauses_are_not_spanned():
    words = (
        Word("Wait.", 1.0, 1.9, 0.9, "aligned"),
        Word("What?", 8.0, 8.9, 0.9, "aligned"),
    )
    part = Segment(0.0, 10.0, "Wait. What?", "en", -0.2, 0.0, 1.0, 0.0, words)
    found = cues(transcript(part), DEFAULTS, name_speakers=False)
    assert [(cue.start_ms, cue.end_ms, cue.lines) for cue in found] == [
        (1000, 1900, ("Wait.",)),
        (8000, 8900, ("What?",)),
    ]


def test_short_words_stay_on_screen_unless_the_next_cue_starts():
    found = cues(
        transcript(segment("Yes.", 1, 1.1, timed=True), segment("No.", 1.5, 1.6, timed=True)),
        DEFAULTS,
        name_speakers=False,
    )
    assert [(cue.start_ms, cue.end_ms) for cue in found] == [(1000, 1417), (1500, 2333)]


def test_a_change_of_speaker_inside_a_segment_starts_a_cue_and_names_the_speaker():
    words = tuple(
        Word(text, i, i + 0.9, 0.9, "aligned", speaker)
        for i, (text, speaker) in enumerate([("Hello.", "A"), ("Hi,", "B"), ("you.", "B"), ("Right.", "A")])
    )
    part = Segment(0, 4, "Hello. Hi, you. Right.", "en", -0.2, 0.0, 1.0, 0.0, words, "A")
    found = cues(transcript(part), DEFAULTS, name_speakers=True)
    assert texts(found) == ["A: Hello.", "B: Hi, you.", "A: Right."]
    again = cues(transcript(part, segment("So.", 5, 6, speaker="A")), DEFAULTS, name_speakers=True)
    assert texts(again)[-1] == "So."


def test_chinese_lines_hold_21_characters_and_take_no_spaces():
    text = "我们今天讨论的是语音识别系统的设计，它需要处理很多不同的语言和口音。大家都觉得这个问题很有意思。"
    found = cues(transcript(segment(text, 0, 12)), DEFAULTS, name_speakers=False)
    lines = [line for cue in found for line in cue.lines]
    assert "".join(lines) == text
    assert max(len(line) for line in lines) <= 21
    assert not any(line[0] in "，。" for line in lines)


def test_words_without_spaces_between_them_stay_together():
    words = tuple(Word(char, i, i + 1, 0.9, "attention") for i, char in enumerate("你好吗"))
    part = Segment(0, 3, "你好吗？", "zh", -0.2, 0.0, 1.0, 0.0, words)
    assert texts(cues(transcript(part), DEFAULTS, name_speakers=False)) == ["你好吗？"]


def test_two_lines_are_about_equally_long():
    found = cues(
        transcript(segment("These words are too many for a single line here.", 0, 4, timed=True)),
        DEFAULTS,
        name_speakers=False,
    )
    first, second = found[0].lines
    assert abs(len(first) - len(second)) <= 8


def test_an_hour_of_one_segment_is_laid_out():
    found = cues(transcript(segment(SPEECH * 100, 0, 3600), duration=3600), DEFAULTS, name_speakers=False)
    assert "".join(texts(found)).replace(" ", "") == (SPEECH * 100).replace(" ", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_line_width": 1},
        {"max_lines": 0},
        {"max_s": 0.0},
        {"max_s": float("inf")},
        {"min_s": 8.0},
        {"min_s": -1.0},
        {"gap_s": -0.1},
        {"reading_speed": 0.0},
        {"reading_speed": float("nan")},
    ],
    ids=str,
)
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(UsageError):
        WriteOptions(**wrong)


def timed_words(*texts, step=0.5):
    return tuple(Word(text, i * step, (i + 1) * step, 0.9, "attention") for i, text in enumerate(texts))


def laid_out(text, *words, **options):
    part = Segment(0, len(words) * 0.5, text, "zh", -0.2, 0.0, 1.0, 0.0, timed_words(*words))
    return cues(transcript(part), WriteOptions(**options), name_speakers=False)


def test_punctuation_outside_of_words_stays_with_the_word_it_belongs_to():
    text = "他说：“你好，世界！”然后走了。"
    found = laid_out(text, "他", "说", "你好", "世界", "然后", "走", "了", max_line_width=8, max_lines=4)
    lines = [line for cue in found for line in cue.lines]
    assert "".join(lines) == text
    assert not any(line[0] in "，！”。：" or line[-1] == "“" for line in lines)


def test_japanese_small_kana_and_length_marks_do_not_begin_a_line():
    text = "コンピューターでチェックする"
    for columns in range(4, 20):
        found = cues(
            transcript(segment(text, 0, 5)), WriteOptions(max_line_width=columns, max_lines=9), name_speakers=False
        )
        lines = [line for cue in found for line in cue.lines]
        assert "".join(lines) == text
        if columns >= 6:
            assert not any(line[0] in "ューッ" for line in lines)


def test_thai_breaks_between_its_words_and_never_inside_a_cluster():
    words = ("สวัสดี", "ครับ", "ผม", "ชื่อ", "สมชาย", "ยินดี", "ที่", "ได้", "รู้จัก")
    found = laid_out("".join(words), *words, max_line_width=12)
    lines = [line for cue in found for line in cue.lines]
    assert "".join(lines) == "".join(words)
    starts = {len("".join(words[:i])) for i in range(len(words))}
    at = 0
    for line in lines:
        assert at in starts
        at += len(line)


def test_parts_of_a_word_stay_on_one_line_and_french_punctuation_with_its_word():
    found = laid_out(
        "l'eau est-elle froide ?", "l'", "eau", "est", "elle", "froide", "?", max_line_width=9, max_lines=4
    )
    assert [line for cue in found for line in cue.lines] == ["l'eau", "est-elle", "froide ?"]


def test_mixed_scripts_keep_the_spaces_they_have_and_get_no_others():
    text = "我们用 Triton 部署Whisper模型。"
    found = laid_out(text, "我们", "用", "Triton", "部署", "Whisper", "模型", max_line_width=80)
    assert texts(found) == [text]


def test_what_is_written_as_one_character_is_never_cut():
    family = "👩‍👩‍👧" * 5 + "e\u0301" * 9
    found = cues(transcript(segment(family, 0, 5)), WriteOptions(max_line_width=4), name_speakers=False)
    lines = [line for cue in found for line in cue.lines]
    assert "".join(lines) == family
    assert not any(line[0] in "\u0301\u200d" or line[-1] == "\u200d" for line in lines)


def test_fast_speech_borrows_time_from_a_pause():
    words = tuple(Word(text, i * 0.1, (i + 1) * 0.1, 0.9, "aligned") for i, text in enumerate(["abcdefghij", "klmno"]))
    part = Segment(0, 5, "abcdefghij klmno", "en", -0.2, 0.0, 1.0, 0.0, words)
    (cue,) = cues(transcript(part), WriteOptions(reading_speed=8, min_s=0), name_speakers=False)
    assert (cue.start_ms, cue.end_ms) == (0, 2000)


def test_a_long_name_keeps_to_the_line_as_well():
    named = transcript(segment("Hello there.", 0, 2, speaker="The Right Honourable " * 4, timed=True))
    found = cues(named, DEFAULTS, name_speakers=True)
    assert max(width(line) for cue in found for line in cue.lines) <= 42
    assert " ".join(texts(found)) == clean("The Right Honourable " * 4) + ": Hello there."


def test_nobody_spoke():
    silence = Transcript(AudioInfo("-", 3.0), "en", 0.5, "base", "transcribe", ())
    assert cues(silence, DEFAULTS, name_speakers=True) == []
