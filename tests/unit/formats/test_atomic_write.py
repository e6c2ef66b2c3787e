import os
import stat

import pytest

from triscribe.formats import atomic_write


def test_text_is_utf8_and_bytes_are_bytes(tmp_path):
    atomic_write(tmp_path / "a.txt", "Grüße 你好\n")
    atomic_write(tmp_path / "b.png", b"\x89PNG\r\n")
    assert (tmp_path / "a.txt").read_bytes() == "Grüße 你好\n".encode()
    assert (tmp_path / "b.png").read_bytes() == b"\x89PNG\r\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.png"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "a.txt", "text")


@pytest.mark.skipif(os.name == "nt", reason="POSIX file modes")
def test_the_mode_is_that_of_the_file_before_or_an_ordinary_one(tmp_path):
    atomic_write(tmp_path / "new.txt", "text")
    (tmp_path / "plain.txt").write_text("text")
    assert (tmp_path / "new.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode
    (tmp_path / "private.txt").write_text("old")
    (tmp_path / "private.txt").chmod(0o600)
    atomic_write(tmp_path / "private.txt", "new")
    assert stat.S_IMODE((tmp_path / "private.txt").stat().st_mode) == 0o600
