"""What was transcribed is not lost when it cannot be written where it belongs."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.unit.cli.transcripts import transcript
from triscribe.cli import delivery as module
from triscribe.cli.delivery import Delivery
from triscribe.cli.outputs import Output
from triscribe.cli.places import prepare
from triscribe.errors import StorageError
from triscribe.formats.options import DEFAULTS


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The working directory, the home and the folder for temporary files."""
    made = [tmp_path / name for name in ("here", "home", "tmp")]
    for folder in made:
        folder.mkdir()
    monkeypatch.chdir(made[0])
    monkeypatch.setenv("HOME", str(made[1]))
    monkeypatch.setattr(tempfile, "tempdir", str(made[2]))
    return made


@pytest.fixture
def full(monkeypatch):
    """From now on outputs find no room."""

    def fails(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(module, "atomic_write", fails)


def lost(delivery, file):
    with pytest.raises(StorageError) as caught:
        delivery.deliver(file, transcript(file))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def delivered(out, *formats, files=("talk.wav",)):
    wanted = Output(formats, out, DEFAULTS)
    return Delivery(wanted, prepare(files, wanted))


def test_every_format_is_rescued_and_named(folders, full, tmp_path):
    delivery = delivered(tmp_path / "out", "txt", "json")
    full()
    message = lost(delivery, "talk.wav")
    assert "No space left" in message
    rescued = {path.suffix: path for path in folders[0].iterdir() if path.suffix}
    assert set(rescued) == {".txt", ".json"}
    assert "words of" in rescued[".txt"].read_text()
    assert all(str(path) in message for path in rescued.values())
    assert str(tmp_path / "out" / "talk.txt") in message


def test_what_can_be_written_is_written(folders, tmp_path):
    delivery = delivered(tmp_path / "out", "txt", "json")
    (tmp_path / "out" / "talk.txt").mkdir()
    assert "is a folder" in lost(delivery, "talk.wav")
    assert (tmp_path / "out" / "talk.json").exists()
    assert [path.suffix for path in folders[0].iterdir()] == [".txt"]


def test_a_file_that_came_meanwhile_is_kept(folders, tmp_path):
    delivery = delivered(tmp_path / "out", "txt")
    (tmp_path / "out" / "talk.txt").write_text("mine")
    assert "meanwhile" in lost(delivery, "talk.wav")
    assert (tmp_path / "out" / "talk.txt").read_text() == "mine"


def test_a_folder_that_went_is_made_again(folders, tmp_path):
    delivery = delivered(tmp_path / "out", "txt", files=["a.wav", "b.wav"])
    delivery.deliver("a.wav", transcript("a.wav"))
    shutil.rmtree(tmp_path / "out")
    delivery.deliver("b.wav", transcript("b.wav"))
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").write_text("a file now")
    lost(delivery, "a.wav")
    assert len(list(folders[0].iterdir())) == 1


@pytest.mark.parametrize("gone", [1, 2])
def test_the_next_folder_is_taken(folders, full, tmp_path, gone):
    delivery = delivered(tmp_path / "out", "txt")
    full()
    for folder in folders[:gone]:
        folder.rmdir()
    assert str(folders[gone]) in lost(delivery, "talk.wav")
    assert len(list(folders[gone].iterdir())) == 1


def test_a_rescue_file_that_is_cut_off_is_none(folders, full, tmp_path, monkeypatch):
    delivery = delivered(tmp_path / "out", "txt")
    full()
    fsync, calls = os.fsync, []

    def first_fails(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", first_fails)
    assert str(folders[1]) in lost(delivery, "talk.wav")
    assert not list(folders[0].iterdir())


def test_no_folder_at_all_is_told(folders, full, tmp_path):
    delivery = delivered(tmp_path / "out", "txt")
    full()
    for folder in folders:
        folder.rmdir()
    assert "rescued as nothing, since no other folder takes it" in lost(delivery, "talk.wav")


@pytest.mark.parametrize("name", ["语" * 82, "a\nb", "[red]", os.fsdecode(b"\xff\xfe"), "\x1b[31m\u202e"], ids=ascii)
def test_an_odd_name_is_rescued_too(folders, full, tmp_path, name):
    delivery = delivered(tmp_path / "out", "txt", files=[f"{name}.wav"])
    full()
    message = lost(delivery, f"{name}.wav")
    assert not set(message) & set("\n\x1b\u202e\udcff")
    (rescued,) = folders[0].iterdir()
    assert "words of" in rescued.read_text()


@pytest.fixture
def standard_output(monkeypatch):
    """Replaces standard output by the descriptor of a file, as a shell does."""
    opened = []

    def replace(descriptor):
        opened.append(os.fdopen(descriptor, "w"))
        monkeypatch.setattr("sys.stdout", opened[-1])

    yield replace
    for file in opened:
        file.close()  # nothing is left in its buffer, or this would fail


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full")
def test_a_full_standard_output_is_rescued(folders, standard_output):
    standard_output(os.open("/dev/full", os.O_WRONLY))
    delivery = delivered(None, "txt", files=["a.wav", "b.wav"])
    for file in ("a.wav", "b.wav"):
        message = lost(delivery, file)
        assert "standard output could not be written (No space left on device)" in message
    assert sorted("a.wav" in path.read_text() for path in folders[0].iterdir()) == [False, True]


def test_a_reader_that_went_is_told(folders, standard_output):
    reading, writing = os.pipe()
    standard_output(writing)
    delivery = delivered(None, "txt")
    os.close(reading)
    assert "Broken pipe" in lost(delivery, "talk.wav")
    assert len(list(folders[0].iterdir())) == 1


def test_a_slow_reader_gets_everything(standard_output):
    from concurrent.futures import ThreadPoolExecutor

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    standard_output(writing)
    data = bytes(range(256)) * 4000
    with ThreadPoolExecutor(1) as pool, os.fdopen(reading, "rb") as reader:
        read = pool.submit(reader.read, len(data))
        module._print(data)
        assert read.result() == data


def test_the_heading_of_an_odd_name_is_one_line(capfdbinary):
    names = ["a\nb\x1b.wav", os.fsdecode(b"\xff.wav")]
    delivery = delivered(None, "txt", files=names)
    for name in names:
        delivery.deliver(name, transcript(name))
    headings = [line for line in capfdbinary.readouterr().out.splitlines() if line.startswith(b"==>")]
    assert headings == [rb"==> a\nb\x1b.wav <==", rb"==> \xff.wav <=="]
