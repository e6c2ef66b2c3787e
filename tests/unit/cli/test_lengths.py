"""How long a file can be at most: the server is sized by it before anything is decoded."""

import math
import wave

import pytest

from triscribe.cli.lengths import longest


def test_a_wav_file_says_it_itself(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(4 * 8000 * 3))
    assert longest(str(path)) == pytest.approx(3.0)


@pytest.mark.parametrize("head", [b"OggS", b"RIFF\0\0\0\0WAVEjunk", b"R", b"RIFF\0\0\0\0AVI "])
def test_anything_else_is_judged_by_its_size(tmp_path, head):
    path = tmp_path / "a.ogg"
    path.write_bytes(head + bytes(150_000 - len(head)))
    assert longest(str(path)) == pytest.approx(100.0)


def test_nobody_knows_of_standard_input():
    assert longest("-") == math.inf


def test_what_is_not_there_has_no_length(tmp_path):
    assert longest(str(tmp_path / "missing.wav")) == 0.0
    assert longest(str(tmp_path)) == 0.0
