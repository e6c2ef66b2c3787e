import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from triscribe.files import atomic_write


def test_text_is_utf8_and_bytes_are_bytes(tmp_path):
    atomic_write(tmp_path / "a.txt", "Grüße 你好\n".encode())
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
        atomic_write(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name", ["语" * 82 + ".txt", "x" * 251 + ".txt", os.fsdecode(b"\xff" * 250) + ".txt"], ids=ascii
)
def test_a_name_of_as_many_bytes_as_there_may_be_is_written(tmp_path, name):
    path = tmp_path / name
    atomic_write(path, b"text")
    assert path.read_bytes() == b"text"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "nowhere" / "a.txt", b"text")


@pytest.mark.skipif(os.name == "nt", reason="POSIX file modes")
def test_the_mode_is_that_of_the_file_before_or_an_ordinary_one(tmp_path):
    atomic_write(tmp_path / "new.txt", b"text")
    (tmp_path / "plain.txt").write_text("text")
    assert (tmp_path / "new.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode
    (tmp_path / "private.txt").write_text("old")
    (tmp_path / "private.txt").chmod(0o600)
    atomic_write(tmp_path / "private.txt", b"new")
    assert stat.S_IMODE((tmp_path / "private.txt").stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_writer_that_is_killed_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    script = (
        "import os, signal, sys, pathlib\n"
        "from triscribe.files import atomic_write\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "atomic_write(pathlib.Path(sys.argv[1]), b'new' * 100_000)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_two_writers_at_once_leave_one_of_both_whole(tmp_path):
    path = tmp_path / "a.txt"
    contents = [letter * 1_000_000 for letter in "ab"]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            list(pool.map(lambda content: atomic_write(path, content.encode()), contents))
            assert path.read_text() in contents
    assert list(tmp_path.iterdir()) == [path]
