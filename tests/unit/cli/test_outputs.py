"""No two inputs share an output, however they are spelt."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triscribe.cli.outputs import distinct, output_names


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["talk.wav"], ["talk"]),
        (["a.wav", "b.mp3"], ["a", "b"]),
        (["memo.wav", "memo.mp3"], ["memo.wav", "memo.mp3"]),
        (["mon/talk.wav", "tue/talk.wav"], ["mon_talk.wav", "tue_talk.wav"]),
        (["x/mon/talk.wav", "y/mon/talk.wav"], ["x_mon_talk.wav", "y_mon_talk.wav"]),
        (["mon/talk.wav", "tue/talk.mp3"], ["talk.wav", "talk.mp3"]),
        (["talk.wav", "x/talk.wav.flac"], ["talk", "talk.wav"]),
        (["-", "stdin.wav"], ["stdin", "stdin.wav"]),
        (["a/Talk.wav", "b/talk.wav"], ["a_Talk.wav", "b_talk.wav"]),
    ],
)
def test_names(files, names):
    assert list(output_names(files).values()) == names


def test_a_stem_that_is_anothers_full_name(tmp_path):
    names = output_names(["talk.wav", "talk.mp3", "x/talk.wav.flac"])
    assert len(set(names.values())) == 3


def test_names_that_differ_by_normalization_only():
    composed, decomposed = (unicodedata.normalize(form, "é.wav") for form in ("NFC", "NFD"))
    names = output_names([f"a/{composed}", f"b/{decomposed}"]).values()
    assert len({unicodedata.normalize("NFC", name) for name in names}) == 2


def test_a_path_spelt_twice_is_one_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert distinct(["a.wav", "./a.wav", str(tmp_path / "a.wav"), "x/../a.wav", "b.wav"]) == ["a.wav", "b.wav"]
    (tmp_path / "link.wav").symlink_to("a.wav")
    assert distinct(["link.wav", "a.wav"]) == ["link.wav"]


PART = st.text("aA_.é1", min_size=1, max_size=3).filter(lambda part: part.strip("."))


@given(st.lists(st.builds(lambda folder, name, ending: f"{folder}/{name}.{ending}", PART, PART, PART), max_size=8))
def test_never_two_of_one_name(files):
    files = distinct(files)
    names = list(output_names(files).values())
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == len(files)
    assert all(Path(name).name == name for name in names)
