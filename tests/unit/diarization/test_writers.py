from xml.etree import ElementTree as ET

from triscribe.formats import WRITERS
from triscribe.types import AudioInfo, Overlap, SpeakerTurn, Transcript

TALK = Transcript(
    AudioInfo("calls/my call.wav", 700.0),
    "en",
    1.0,
    "base",
    "transcribe",
    (),
    speakers=("SPEAKER_00", "Ann $1$"),
    turns=(SpeakerTurn(0.5, 2.0, "SPEAKER_00"), SpeakerTurn(1.75, 640.0, "Ann $1$")),
    overlaps=(Overlap(1.75, 2.0, ("Ann $1$", "SPEAKER_00")),),
)
EMPTY = Transcript(AudioInfo("-", 0.0), "en", 1.0, "base", "transcribe", ())


def test_rttm_has_ten_fields_and_says_when_and_for_how_long():
    assert WRITERS["rttm"].render(TALK) == (
        "SPEAKER my_call 1 0.500 1.500 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
        "SPEAKER my_call 1 1.750 638.250 <NA> <NA> Ann_$1$ <NA> <NA>\n"
    )


def test_svg_names_the_speakers_and_is_reproducible():
    picture = WRITERS["svg"].render(TALK)
    root = ET.fromstring(picture)
    text = " ".join(root.itertext())
    assert picture == WRITERS["svg"].render(TALK)
    assert root.tag.endswith("svg")
    assert b"SPEAKER_00" in picture
    assert b"Ann $1$" in picture or "Ann $1$" in text


def test_a_longer_recording_gets_a_taller_picture():
    heights = [ET.fromstring(WRITERS["svg"].render(t)).attrib["height"] for t in (EMPTY, TALK)]
    assert float(heights[0][:-2]) < float(heights[1][:-2])


def test_png_of_nothing_is_a_picture():
    picture = WRITERS["png"].render(EMPTY)
    assert isinstance(picture, bytes)
    assert picture.startswith(b"\x89PNG")
