import csv
import dataclasses
import html
import io
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import jsonschema
import pysubs2
import pytest
import srt
import webvtt
from hypothesis import given
from hypothesis.strategies import booleans

from triscribe.formats import WRITERS, WriteOptions, encoded
from triscribe.formats.cues import cues
from triscribe.formats.options import DEFAULTS
from triscribe.spacing import clean
from triscribe.types import AudioInfo, Segment, Transcript, Word

from .strategies import brief, limits, orderly_transcripts, patient, segment, transcript, transcripts

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "transcript.schema.json").read_text())
TALK = transcript(
    segment("Hello there.", 0.5, 1.5, speaker="SPEAKER_00", timed=True),
    segment("How are you?", 1.6, 2.5, speaker="SPEAKER_00", timed=True),
    segment("Fine, thanks.", 3.0, 4.0, speaker="SPEAKER_01", timed=True),
    segment("(music)", 5.0, 6.0),
)
SILENCE = Transcript(AudioInfo("-", 3.0), "en", 0.5, "base", "transcribe", ())
NOBODY = Transcript(AudioInfo("-", 3.0), None, 0.0, "", "transcribe", ())  # no chunk was sent, no model asked


KARAOKE = WriteOptions(karaoke=True)


def render(name, transcript, options=DEFAULTS):
    content = WRITERS[name].render(transcript, options)
    assert isinstance(content, str)
    return content


def test_each_writer_is_listed_under_its_extension():
    extensions = {name: writer.extension for name, writer in WRITERS.items()}
    assert (
        extensions.items()
        >= {name: name for name in ("txt", "srt", "vtt", "ass", "html", "tsv", "json", "rttm", "png", "svg")}.items()
    )


def test_txt_names_a_speaker_where_it_changes():
    assert render("txt", TALK) == ("SPEAKER_00: Hello there.\nHow are you?\nSPEAKER_01: Fine, thanks.\n(music)\n")


def test_srt():
    assert render("srt", TALK) == (
        "1\n00:00:00,500 --> 00:00:01,517\nSPEAKER_00: Hello there.\n\n"
        "2\n00:00:01,600 --> 00:00:02,500\nHow are you?\n\n"
        "3\n00:00:03,000 --> 00:00:04,471\nSPEAKER_01: Fine, thanks.\n\n"
        "4\n00:00:05,000 --> 00:00:06,000\n(music)\n\n"
    )


def test_vtt_names_speakers_by_voice_and_escapes():
    odd = transcript(segment("a <b> & c --> d", 3600.0, 3602.0, speaker="Ann > Bob"), duration=4000)
    assert render("vtt", odd) == (
        "WEBVTT\n\n01:00:00.000 --> 01:00:02.000\n<v Ann &gt; Bob>a &lt;b&gt; &amp; c --&gt; d\n"
    )


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_takes_a_recording_without_a_language(name):
    assert WRITERS[name].render(NOBODY) is not None


TEXT_FILES = {"txt", "srt", "vtt", "ass", "tsv"}


@pytest.mark.parametrize("name", WRITERS)
def test_a_byte_order_mark_and_crlf_are_for_text_files(name):
    writer = WRITERS[name]
    usual = writer.render(TALK)
    plain, marked, windows, both = (
        encoded(usual, writer, WriteOptions(bom=bom, crlf=crlf)) for crlf in (False, True) for bom in (False, True)
    )
    assert plain == encoded(usual)
    if name not in TEXT_FILES:
        assert plain == marked == windows == both
        return
    assert b"\r" not in plain
    assert marked == b"\xef\xbb\xbf" + plain
    assert windows == plain.replace(b"\n", b"\r\n")
    assert both == b"\xef\xbb\xbf" + windows


BOTH = WriteOptions(bom=True, crlf=True)


def test_readers_take_files_with_a_byte_order_mark_and_crlf():
    expected = cues(TALK, DEFAULTS, name_speakers=True)
    content = {name: encoded(WRITERS[name].render(TALK, BOTH), WRITERS[name], BOTH) for name in TEXT_FILES}
    found = list(srt.parse(content["srt"].decode("utf-8-sig")))
    assert [sub.content for sub in found] == ["\n".join(cue.lines) for cue in expected]
    assert len(webvtt.from_string(content["vtt"].decode("utf-8-sig")).captions) == len(expected)
    assert len(pysubs2.SSAFile.from_string(content["ass"].decode("utf-8-sig"))) == len(expected)


@brief
@given(transcripts())
def test_a_file_has_no_other_line_ends_than_those_asked_for(random_transcript):
    for name in TEXT_FILES:
        windows = encoded(WRITERS[name].render(random_transcript, BOTH), WRITERS[name], BOTH)
        assert windows.count(b"\r") == windows.count(b"\n") == windows.count(b"\r\n")


def test_silence_gives_valid_and_empty_files():
    expected = {"txt": "", "srt": "", "vtt": "WEBVTT\n", "tsv": "start_ms\tend_ms\tspeaker\ttext\n"}
    assert {name: render(name, SILENCE) for name in expected} == expected


@patient
@given(transcripts())
def test_srt_reads_back(random_transcript):
    expected = cues(random_transcript, DEFAULTS, name_speakers=True)
    found = list(srt.parse(render("srt", random_transcript)))
    assert [round(sub.start.total_seconds() * 1000) for sub in found] == [cue.start_ms for cue in expected]
    assert [round(sub.end.total_seconds() * 1000) for sub in found] == [cue.end_ms for cue in expected]
    assert [sub.content for sub in found] == ["\n".join(cue.lines).replace("-->", "→") for cue in expected]


@patient
@given(transcripts())
def test_vtt_reads_back(random_transcript):
    expected = cues(random_transcript, DEFAULTS, name_speakers=False)
    rendered = render("vtt", random_transcript)
    found = webvtt.from_string(rendered).captions
    assert [round(caption.start_in_seconds * 1000) // 1000 for caption in found] == [
        cue.start_ms // 1000 for cue in expected
    ]
    assert rendered.count("-->") == len(expected)
    escape = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    for caption, cue in zip(found, expected, strict=True):
        tag = f"<v {cue.speaker.translate(escape)}>" if cue.speaker else ""
        assert caption.raw_text == tag + "\n".join(cue.lines).translate(escape)


@patient
@given(transcripts())
def test_tsv_reads_back(random_transcript):
    rows = list(csv.reader(io.StringIO(render("tsv", random_transcript)), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 1 + len(random_transcript.segments)
    for (start, end, speaker, text), part in zip(rows[1:], random_transcript.segments, strict=True):
        assert int(start) == round(part.start * 1000)
        assert int(end) == round(part.end * 1000)
        assert (speaker, text) == (part.speaker or "", clean(part.text))


@patient
@given(transcripts())
def test_json_follows_its_schema_and_loses_nothing(random_transcript):
    rendered = render("json", random_transcript)
    rendered.encode()
    document = json.loads(rendered)
    jsonschema.validate(document, SCHEMA)
    assert document["audio"]["path"] == random_transcript.audio.path
    assert [part["text"] for part in document["segments"]] == [part.text for part in random_transcript.segments]
    for part, original in zip(document["segments"], random_transcript.segments, strict=True):
        assert [word["word"] for word in part["words"]] == [word.word for word in original.words]
        assert part["start"] == pytest.approx(original.start, abs=0.0006)


def test_json_in_full():
    document = json.loads(render("json", transcript(segment("Hi", 0.12345, 1.0, speaker="A", timed=True))))
    assert document == {
        "audio": {"path": "talk.wav", "duration": 60.0, "track": None, "mix": None},
        "language": "en",
        "language_probability": 0.98,
        "model": "base",
        "task": "transcribe",
        "text": "Hi",
        "segments": [
            {
                "start": 0.123,
                "end": 1.0,
                "text": "Hi",
                "speaker": "A",
                "channel": None,
                "language": "en",
                "language_probability": 1.0,
                "avg_logprob": -0.2,
                "no_speech_prob": 0.01,
                "compression_ratio": 1.2,
                "temperature": 0.0,
                "words": [
                    {"word": "Hi", "start": 0.123, "end": 1.0, "probability": 0.9, "speaker": "A", "timing": "aligned"}
                ],
            }
        ],
        "speakers": [],
        "turns": [],
        "overlaps": [],
        "warnings": [],
    }


@pytest.mark.parametrize("silent", [SILENCE, NOBODY], ids=["language given", "no language"])
def test_json_of_a_silent_recording_follows_the_schema(silent):
    document = json.loads(render("json", silent))
    jsonschema.validate(document, SCHEMA)
    assert (document["language"], document["model"]) == (silent.language, silent.model)
    assert document["segments"] == []


def test_the_schema_wants_a_language_of_what_was_said():
    document = json.loads(render("json", TALK))
    document["segments"][0]["language"] = None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_the_example_in_the_documentation_follows_the_schema():
    documentation = (Path(__file__).parents[3] / "docs" / "subtitles.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", documentation, re.DOTALL)
    jsonschema.validate(json.loads(example), SCHEMA)


def test_the_schema_refuses_what_it_does_not_describe():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    document = json.loads(render("json", TALK))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document | {"surprise": 1}, SCHEMA)
    document["segments"][0]["words"][0]["timing"] = "guessed"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_vtt_karaoke_times_each_word_but_the_first():
    assert render("vtt", transcript(segment("Ask <not> what", 1, 4, speaker="Ann", timed=True)), KARAOKE) == (
        "WEBVTT\n\nSTYLE\n::cue(:future) {\n  opacity: 0.6;\n}\n\n00:00:01.000 --> 00:00:04.000\n"
        "<v Ann><c>Ask</c> <00:00:02.000><c>&lt;not&gt;</c> <00:00:03.000><c>what</c>\n"
    )


def test_karaoke_does_not_make_times_up():
    untimed = transcript(segment("Nobody timed this.", 0, 2))
    assert "<00:" not in render("vtt", untimed, KARAOKE)
    assert "\\k" not in render("ass", untimed, KARAOKE)


@patient
@given(transcripts() | orderly_transcripts(), limits())
def test_vtt_karaoke_shows_the_same_and_its_times_grow_inside_the_cue(random_transcript, options):
    options = dataclasses.replace(options, karaoke=True)
    expected = cues(random_transcript, options, name_speakers=False)
    found = webvtt.from_string(render("vtt", random_transcript, options)).captions
    for caption, cue in zip(found, expected, strict=True):
        text = re.sub(r"</?c>|<[0-9:.]+>|^<v [^>]*>", "", caption.raw_text)
        assert html.unescape(text) == "\n".join(cue.lines)
        times = [cue.start_ms, *map(as_ms, re.findall(r"<([0-9:.]+)>", caption.raw_text)), cue.end_ms]
        assert all(a < b for a, b in pairwise(times))


def as_ms(clock):
    hours, minutes, seconds = clock.split(":")
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)


def harmless(line):
    return line.replace("{", "｛").replace("}", "｝").replace("\\", "\\\u2060")


@patient
@given(transcripts() | orderly_transcripts(), limits(), booleans())
def test_ass_reads_back(random_transcript, options, karaoke):
    options = dataclasses.replace(options, karaoke=karaoke)
    expected = cues(random_transcript, options, name_speakers=False)
    found = pysubs2.SSAFile.from_string(render("ass", random_transcript, options), "ass")
    styles: dict[str | None, str] = {}
    for event, cue in zip(found, expected, strict=True):
        text = re.sub(r"\{\\k\d+\}", "", event.text)
        assert text == "\\N".join(harmless(line) for line in cue.lines)
        assert abs(event.start - cue.start_ms) <= 5
        assert abs(event.end - cue.end_ms) <= 5
        assert event.name == clean(cue.speaker or "").replace(",", ";")
        assert event.style in found.styles
        assert styles.setdefault(cue.speaker, event.style) == event.style
        syllables = [int(length) for length in re.findall(r"\\k(\d+)", event.text)]
        assert sum(syllables) * 10 <= event.duration + 10
    assert len(set(styles.values())) == len(styles)


def test_ass_karaoke_counts_hundredths_from_the_start_of_the_cue():
    words = (Word("你好", 1.0, 1.5, 0.9, "attention", "A"), Word("世界", 2.0, 2.25, 0.9, "attention", "A"))
    part = Segment(1.0, 3.0, "你好世界", "zh", -0.2, 0.0, 1.0, 0.0, words)
    (line,) = [line for line in render("ass", transcript(part), KARAOKE).splitlines() if line.startswith("Dialogue")]
    assert line == r"Dialogue: 0,0:00:01.00,0:00:02.25,Default,A,0,0,0,,{\k100}你好{\k25}世界"


def test_ass_text_cannot_give_orders():
    odd = transcript(segment(r"{\an8}up \Nnew, C:\new", 0, 2, speaker="a,b\nDialogue: 0", timed=False))
    (event,) = pysubs2.SSAFile.from_string(render("ass", odd), "ass")
    assert event.plaintext == "｛\\\u2060an8｝up \\\u2060Nnew, C:\\\u2060new"
    assert event.name == "a;b Dialogue: 0"


@brief
@given(transcripts())
def test_every_writer_takes_every_transcript(random_transcript):
    for name in ("ass", "html", "json", "rttm", "srt", "tsv", "txt", "vtt"):
        assert isinstance(encoded(render(name, random_transcript)), bytes)


class Words(HTMLParser):
    """What a page shows of the transcript, as a parser of HTML sees it."""

    def __init__(self):
        super().__init__()
        self.words, self.tags, self._inside = [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._inside = ("class", "w") in attrs
        if self._inside:
            self.words.append("")

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.words[-1] += data


@brief
@given(orderly_transcripts())
def test_html_shows_every_word_once(random_transcript):
    page = Words()
    page.feed(render("html", random_transcript))
    assert page.words == [word.word for part in random_transcript.segments for word in part.words]
    assert page.tags.count("script") == 1


def test_html_of_a_chinese_transcript_speaks_chinese():
    chinese = dataclasses.replace(transcript(segment("你好。", 0, 1)), language="zh")
    page = render("html", chinese)
    assert '<html lang="zh">' in page
    assert "搜索" in page
    assert "中文 · base" in page
    assert '<html lang="en">' in render("html", TALK)


@pytest.mark.parametrize(
    ("name", "html_audio", "expected"),
    [
        ("a.wav", "auto", "data:audio/wav;base64,UklGRg=="),
        ("a.wav", "link", "sounds/a.wav"),
        ("a.wav", "none", None),
        ("a.amr", "auto", "sounds/a.amr"),
        ("a.amr", "embed", "data:application/octet-stream;base64,UklGRg=="),
        ("javascript:alert(1).wav", "link", "sounds/javascript%3Aalert%281%29.wav"),
    ],
)
def test_html_audio(tmp_path, name, html_audio, expected):
    (tmp_path / "sounds").mkdir()
    audio = tmp_path / "sounds" / name
    audio.write_bytes(b"RIFF")
    heard = dataclasses.replace(TALK, audio=AudioInfo(str(audio), 6.0))
    page = render("html", heard, WriteOptions(html_audio=html_audio, folder=tmp_path))
    found = re.search(r'<audio [^>]*? src="([^"]*)"', page)
    assert (html.unescape(found[1]) if found else None) == expected
