"""Hebrew and Arabic, with Latin names, digits and an exclamation mark."""

import dataclasses

import pysubs2
import pytest
import webvtt

from triscribe.formats import WRITERS, WriteOptions, bidi

from .strategies import segment, transcript

HEBREW = "חברת Google הציגה היום 25 מוצרים!"
ARABIC = "أعلنت شركة Google عن 25 منتجا!"
NAME_FIRST = "Google הציגה היום 25 מוצרים!"
RLM, RLE, PDF = "\u200f", "\u202b", "\u202c"
MARKS = WriteOptions(bidi_marks=True)


def render(name, *texts, speaker=None, options=WriteOptions(), timed=False):  # noqa: B008 - frozen
    said = [segment(text, 4 * i, 4 * i + 3, speaker=speaker, timed=timed) for i, text in enumerate(texts)]
    content = WRITERS[name].render(transcript(*said), options)
    assert isinstance(content, str)
    return content


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEBREW, True),
        (ARABIC, True),
        (NAME_FIRST, True),
        ("Windows 11!", False),
        ("He said שלום to me.", False),
        ("25!", False),
        ("", False),
        ("你好。", False),
    ],
)
def test_the_direction_is_that_of_most_letters(text, expected):
    assert bidi.is_right_to_left(text) is expected


@pytest.mark.parametrize("text", [HEBREW, ARABIC, NAME_FIRST])
@pytest.mark.parametrize("karaoke", [False, True])
def test_ass_has_libass_find_the_direction(text, karaoke):
    options = WriteOptions(karaoke=karaoke)
    found = pysubs2.SSAFile.from_string(render("ass", text, options=options, timed=True), "ass")
    (style,) = found.styles.values()
    assert style.encoding == -1
    (event,) = found
    assert event.plaintext == (RLM if text is NAME_FIRST else "") + text


def test_ass_of_text_from_left_to_right_keeps_its_encoding():
    found = pysubs2.SSAFile.from_string(render("ass", "He said שלום to me!"), "ass")
    assert [style.encoding for style in found.styles.values()] == [pysubs2.SSAStyle().encoding]
    assert found[0].text == "He said שלום to me!"


def test_only_the_styles_of_speakers_who_need_it_change():
    said = (segment(HEBREW, 0, 3, speaker="A"), segment("Hello!", 4, 5, speaker="B"))
    found = pysubs2.SSAFile.from_string(str(WRITERS["ass"].render(transcript(*said))), "ass")
    assert [found.styles[event.style].encoding for event in found] == [-1, pysubs2.SSAStyle().encoding]


@pytest.mark.parametrize("karaoke", [False, True])
def test_vtt_leads_a_line_that_begins_with_a_name(karaoke):
    options = WriteOptions(karaoke=karaoke)
    content = render("vtt", HEBREW, ARABIC, NAME_FIRST, "Hello!", speaker="Ann", options=options, timed=True)
    found = [caption.text for caption in webvtt.from_string(content).captions]
    assert found == [HEBREW, ARABIC, RLM + NAME_FIRST, "Hello!"]


def test_every_line_of_a_cue_has_the_direction_of_its_segment():
    wrapped = render("vtt", "החברה הציגה היום את Microsoft Windows 11 ואת Office 365 החדש!", timed=True)
    lines = webvtt.from_string(wrapped).captions[0].raw_text.split("\n")
    assert len(lines) == 2
    for line in lines:
        first = next(char for char in line if char.isalpha() or char == RLM)
        assert first == RLM or first > "\u0590"


@pytest.mark.parametrize("name", ["srt", "txt"])
def test_bidi_marks_embed_each_line_from_right_to_left(name):
    embedded = render(name, HEBREW, ARABIC, NAME_FIRST, "Hello!", options=MARKS)
    lines = [line for line in embedded.splitlines() if any(char.isalpha() for char in line)]
    assert lines == [f"{RLE}{text}{PDF}" for text in (HEBREW, ARABIC, NAME_FIRST)] + ["Hello!"]


@pytest.mark.parametrize("name", ["srt", "txt"])
def test_bidi_marks_embed_the_speaker_with_the_line(name):
    options = dataclasses.replace(MARKS, max_line_width=60)
    assert f"{RLE}SPEAKER_00:{RLM} {HEBREW}{PDF}\n" in render(name, HEBREW, speaker="SPEAKER_00", options=options)


@pytest.mark.parametrize("name", ["srt", "txt", "tsv", "json"])
def test_without_bidi_marks_there_are_none(name):
    content = render(name, HEBREW, ARABIC, NAME_FIRST)
    assert not {RLM, RLE, PDF} & {*content, *render(name, HEBREW, speaker="SPEAKER_00")}
    assert NAME_FIRST in content


@pytest.mark.parametrize("name", ["vtt", "ass", "tsv", "json", "html"])
def test_bidi_marks_are_for_formats_that_say_nothing_of_a_direction(name):
    assert render(name, HEBREW, options=MARKS) == render(name, HEBREW)


def test_the_page_turns_paragraphs_that_begin_with_a_name():
    assert '<p dir="rtl">' in render("html", NAME_FIRST)
    assert '<p dir="auto">' in render("html", "He said שלום to me.")


def test_marks_take_no_room_on_a_line():
    narrow = WriteOptions(max_line_width=len(NAME_FIRST), max_lines=1)
    for options in (narrow, dataclasses.replace(narrow, bidi_marks=True)):
        assert render("srt", NAME_FIRST, options=options).count("-->") == 1
