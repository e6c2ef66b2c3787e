"""No two inputs share an output, however they are spelt."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triscribe.cli.outputs import distinct, journal_path, output_names


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
        (["a.wav", "a"], ["a.wav", "a"]),
        ([".x.wav", ".x.journal.wav"], [".x", ".x.journal"]),
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


def test_a_link_that_leads_to_itself_is_an_input_like_others(tmp_path):
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    loop = str(tmp_path / "loop.wav")
    assert output_names(distinct([loop, "b.wav"])) == {loop: "loop", "b.wav": "b"}


def test_a_folder_that_is_gone_can_still_be_worked_from(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert distinct(["a.wav", "/x/a.wav"]) == ["a.wav", "/x/a.wav"]


LONG = [
    "语" * 82,  # 246 bytes
    "语" * 85,
    "x" * 251,
    "👩‍🚀" * 22,
    os.fsdecode(b"\xff" * 251),
]


@pytest.mark.parametrize("stem", LONG, ids=ascii)
def test_names_fit_into_the_bytes_of_a_file_system(stem):
    for longest in (255, 143):
        (name,) = output_names([stem], longest).values()
        assert len(os.fsencode(f"{name}.json")) <= longest
        assert len(os.fsencode(f"{journal_path(Path('out'), name, longest).name}.lock")) <= longest
        assert output_names([stem], longest) == {stem: name}
    assert output_names([stem]) == {stem: stem}


def test_a_name_that_fits_is_left_alone():
    assert output_names(["语" * 82 + ".wav"], 255) == {"语" * 82 + ".wav": "语" * 82}
    assert journal_path(Path("out"), "talk", 255) == Path("out/.talk.journal")


def test_long_names_that_begin_alike_stay_two():
    first, second = "语" * 84 + "一", "语" * 84 + "二"
    names = set(output_names([first, second, f"a/{first}", f"b/{first}"], 255).values())
    assert len(names) == 4
    assert len({journal_path(Path("out"), name, 255) for name in names}) == 4


PART = st.text("aA_.é1", min_size=1, max_size=3).filter(lambda part: part.strip("."))


@given(st.lists(st.builds(lambda folder, name, ending: f"{folder}/{name}.{ending}", PART, PART, PART), max_size=8))
def test_never_two_of_one_name(files):
    files = distinct(files)
    assert len({unicodedata.normalize("NFC", name).casefold() for name in output_names(files, 20).values()}) == len(
        files
    )
    names = list(output_names(files).values())
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == len(files)
    assert all(Path(name).name == name for name in names)
