import csv
import io
import json
from pathlib import Path

import jsonschema
import pytest
import srt
import webvtt
from hypothesis import given

from triscribe.formats import WRITERS
from triscribe.formats.base import clean
from triscribe.formats.cues import DEFAULT_RULES, cues
from triscribe.types import AudioInfo, Transcript

from .strategies import patient, segment, transcript, transcripts

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "transcript.schema.json").read_text())
TALK = transcript(
    segment("Hello there.", 0.5, 1.5, speaker="SPEAKER_00", timed=True),
    segment("How are you?", 1.6, 2.5, speaker="SPEAKER_00", timed=True),
    segment("Fine, thanks.", 3.0, 4.0, speaker="SPEAKER_01", timed=True),
    segment("(music)", 5.0, 6.0),
)
SILENCE = Transcript(AudioInfo("-", 3.0), "en", 0.5, "base", "transcribe", ())


def render(name, transcript):
    content = WRITERS[name].render(transcript)
    assert isinstance(content, str)
    return content


def test_each_writer_is_listed_under_its_extension():
    extensions = {name: writer.extension for name, writer in WRITERS.items()}
    assert (
        extensions.items()
        >= {name: name for name in ("txt", "srt", "vtt", "tsv", "json", "rttm", "png", "svg")}.items()
    )


def test_txt_names_a_speaker_where_it_changes():
    assert render("txt", TALK) == ("SPEAKER_00: Hello there.\nHow are you?\nSPEAKER_01: Fine, thanks.\n(music)\n")


def test_srt():
    assert render("srt", TALK) == (
        "1\n00:00:00,500 --> 00:00:01,500\nSPEAKER_00: Hello there.\n\n"
        "2\n00:00:01,600 --> 00:00:02,500\nHow are you?\n\n"
        "3\n00:00:03,000 --> 00:00:04,000\nSPEAKER_01: Fine, thanks.\n\n"
        "4\n00:00:05,000 --> 00:00:06,000\n(music)\n\n"
    )


def test_vtt_names_speakers_by_voice_and_escapes():
    odd = transcript(segment("a <b> & c --> d", 3600.0, 3602.0, speaker="Ann > Bob"), duration=4000)
    assert render("vtt", odd) == (
        "WEBVTT\n\n01:00:00.000 --> 01:00:02.000\n<v Ann &gt; Bob>a &lt;b&gt; &amp; c --&gt; d\n"
    )


def test_silence_gives_valid_and_empty_files():
    expected = {"txt": "", "srt": "", "vtt": "WEBVTT\n", "tsv": "start_ms\tend_ms\tspeaker\ttext\n"}
    assert {name: render(name, SILENCE) for name in expected} == expected


@patient
@given(transcripts())
def test_srt_reads_back(random_transcript):
    expected = cues(random_transcript, DEFAULT_RULES, name_speakers=True)
    found = list(srt.parse(render("srt", random_transcript)))
    assert [round(sub.start.total_seconds() * 1000) for sub in found] == [cue.start_ms for cue in expected]
    assert [round(sub.end.total_seconds() * 1000) for sub in found] == [cue.end_ms for cue in expected]
    assert [sub.content for sub in found] == ["\n".join(cue.lines).replace("-->", "→") for cue in expected]


@patient
@given(transcripts())
def test_vtt_reads_back(random_transcript):
    expected = cues(random_transcript, DEFAULT_RULES, name_speakers=False)
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
        "audio": {"path": "talk.wav", "duration": 60.0},
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


def test_the_schema_refuses_what_it_does_not_describe():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    document = json.loads(render("json", TALK))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document | {"surprise": 1}, SCHEMA)
    document["segments"][0]["words"][0]["timing"] = "guessed"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)
