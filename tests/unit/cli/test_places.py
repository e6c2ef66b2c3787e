"""Every place is tried before the work, and nobody's output is replaced unasked."""

import errno
import io
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.cli.transcripts import transcript
from triscribe.cli.delivery import Delivery
from triscribe.cli.ledger import Ledger
from triscribe.cli.outputs import Output
from triscribe.cli.places import prepare
from triscribe.errors import UsageError
from triscribe.formats.options import DEFAULTS


@pytest.fixture
def inputs(tmp_path):
    """Makes inputs that exist, by their paths below a folder of their own."""

    def make(*names):
        paths = [tmp_path / "in" / name for name in names]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"media of " + os.fsencode(path.name))
        return list(map(str, paths))

    return make


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def output(folder, *formats, **more):
    return Output(formats or ("txt", "json"), folder, DEFAULTS, **more)


def run(files, wanted):
    """What a call does beside the work."""
    targets = prepare(files, wanted)
    for file in targets:
        Delivery(wanted, targets).deliver(file, transcript(file))
    return targets


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".triscribe")


def refused(files, wanted):
    with pytest.raises(UsageError) as caught:
        prepare(files, wanted)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_folder_is_made_with_those_above_it(inputs, out):
    prepare(inputs("a.wav"), output(out / "x" / "y"))
    assert visible(out / "x" / "y") == []


def test_the_same_call_can_be_repeated(inputs, out):
    files = inputs("a.wav", "b.wav")
    run(files, output(out))
    run(files, output(out))
    run([os.path.relpath(files[0])], output(out, "txt"))
    assert visible(out) == ["a.json", "a.txt", "b.json", "b.txt"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("mon/talk.wav", "tue/talk.wav"), ("memo.wav", "memo.mp3"), ("talk.wav", "talk"), ("x.wav.mp3", "y/x.wav.flac")],
)
def test_the_output_of_another_input_is_not_replaced(inputs, out, first, second):
    first, second = inputs(first, second)
    (target,) = run([first], output(out)).values()
    before = target.paths["txt"].read_bytes()
    message = refused([second], output(out, "txt", "srt"))
    assert "--overwrite" in message
    assert "--output-dir" in message
    assert str(target.paths["txt"]) in message
    assert first in message
    assert target.paths["txt"].read_bytes() == before
    run([second], output(out, "txt", overwrite=True))
    assert target.paths["txt"].read_bytes() != before
    run([second], output(out, "txt"))  # its own now
    assert first in refused([second], output(out, "json"))


def test_a_file_that_nobody_knows_is_not_replaced(inputs, out):
    (file,) = inputs("notes.wav")
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert "notes.txt" in refused([file], output(out))
    (out / ".triscribe" / "outputs.jsonl").write_bytes(b'{"output": "notes.txt"}\n[[[\n{"output": "notes.txt", "inp')
    assert "notes.txt" in refused([file], output(out))
    assert (out / "notes.txt").read_text() == "mine"


def test_many_files_in_the_way_are_one_line(inputs, out):
    files = inputs(*(f"{n}.wav" for n in range(20)))
    out.mkdir()
    for n in range(20):
        (out / f"{n}.txt").touch()
    assert "and 15 more" in refused(files, output(out, "txt"))


def test_what_came_through_standard_input_may_have_been_anything(out):
    run(["-"], output(out))
    assert "stdin.txt" in refused(["-"], output(out))
    run(["-"], output(out, overwrite=True))


@pytest.mark.parametrize("name", ["talk.txt", "talk.json"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_never_replaces_an_input(inputs, name, overwrite):
    file, *_ = files = inputs(name, "b.wav")
    before = Path(file).read_bytes()
    assert "is an input" in refused(files, output(Path(file).parent, overwrite=overwrite))
    (link,) = inputs("talk.wav")
    Path(link).unlink()
    Path(link).symlink_to(file)
    assert "is an input" in refused([link], output(Path(file).parent, overwrite=overwrite))
    assert Path(file).read_bytes() == before


@pytest.mark.parametrize("name", [".talk.journal", ".talk.journal.lock"])
def test_a_journal_is_no_other_file(inputs, name):
    """The journal of one input was cut into another input."""
    files = inputs("talk.wav", name)
    folder = Path(files[0]).parent
    assert "is an input" in refused(files, output(folder, overwrite=True))
    assert "no journal of ours" in (said := refused(files[:1], output(folder))) or "no lock" in said
    prepare(files[:1], output(folder, resume=False))
    assert Path(files[1]).read_bytes() == b"media of " + name.encode()
    Path(files[1]).unlink()
    Path(files[1]).symlink_to(files[0])
    assert "is a link" in refused(files[:1], output(folder, overwrite=True))


def test_the_journal_of_a_killed_job_waits_for_its_input(inputs, out):
    mine, other = inputs("mon/talk.wav", "tue/talk.wav")
    targets = prepare([mine], output(out, resume=True))
    (journal,) = (target.journal for target in targets.values() if target.journal)
    journal.write_text('{"format":1,"audio":"x","samples":1}\n')
    journal.with_name(f"{journal.name}.lock").touch()
    prepare([mine], output(out))
    message = refused([other], output(out))
    assert mine in message
    assert "--overwrite" in message
    prepare([other], output(out, resume=False))
    Path(mine).rename(Path(mine).with_name("moved.wav"))  # so nobody can say that it is not this one
    prepare([other], output(out))


def test_a_job_killed_between_two_outputs_goes_on(inputs, out, monkeypatch):
    files = inputs("talk.wav")
    wanted = output(out, "txt", "json")
    targets = prepare(files, wanted)
    written: list[Path] = []

    def killed(path, content):
        if written:
            raise KeyboardInterrupt
        written.append(path)
        path.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr("triscribe.cli.delivery.atomic_write", killed)
        with pytest.raises(KeyboardInterrupt):
            Delivery(wanted, targets).deliver(files[0], transcript(files[0]))
    assert visible(out) == ["talk.txt"]
    run(files, wanted)


@pytest.mark.parametrize("place", ["talk.txt", "talk.json", ".talk.journal", ".talk.journal.lock"])
def test_a_folder_in_the_way_is_told(inputs, out, place):
    (out / place).mkdir(parents=True)
    message = refused(inputs("talk.wav"), output(out, overwrite=True))
    assert f"{place} is a folder" in message
    assert "--output-dir" in message


def test_a_pipe_in_the_way_is_told(inputs, out):
    out.mkdir()
    os.mkfifo(out / "talk.txt")
    assert "no ordinary file" in refused(inputs("talk.wav"), output(out, overwrite=True))


def test_a_file_in_the_place_of_the_folder_is_told(inputs, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert "in the way" in refused(inputs("a.wav"), output(folder))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EROFS, "choose another"),
        (errno.EIO, "choose another"),
        (errno.EACCES, "permissions"),
    ],
)
def test_a_folder_that_takes_no_file_is_told(inputs, out, monkeypatch, number, remedy):
    def fails(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", fails)
    message = refused(inputs("a.wav"), output(out))
    assert os.strerror(number) in message
    assert remedy in message


def test_what_is_write_protected_is_told(inputs, out, monkeypatch):
    files = inputs("a.wav")
    run(files, output(out, "txt"))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write anything
    assert "a.txt is write-protected" in refused(files, output(out, "txt", overwrite=True))
    prepare(files, output(out, "srt"))


@contextmanager
def file_system(folder, options):
    """A small one of its own at `folder`."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=False).returncode:
        pytest.skip("only root can mount")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mount")
def test_a_real_file_system_without_room_or_read_only_is_told(inputs, out, tmp_path):
    with file_system(out, "size=64k"):
        (out / "filler").write_bytes(bytes(60 * 1024))
        message = refused(inputs("a.wav"), output(out))
        assert "No space left" in message
        assert visible(out) == ["filler"]
    with file_system(tmp_path / "fixed", "ro"):
        assert "Read-only" in refused(inputs("a.wav"), output(tmp_path / "fixed"))


@pytest.mark.parametrize(
    "name", ["语" * 82 + ".wav", "x" * 251 + ".wav", os.fsdecode(b"\xff" * 251) + ".wav", "y" * 255], ids=ascii
)
def test_a_long_name_is_written_whatever_it_takes(inputs, out, name, capfd):
    files = inputs(name)
    (target,) = run(files, output(out, "txt", "json")).values()
    assert all(path.exists() for path in target.paths.values())
    journal = target.open_journal(resume=True)
    journal.open(transcript_samples())
    assert target.journal.exists()
    journal.discard()
    run(files, output(out, "txt", "json"))
    assert ("the whole name is too long" in capfd.readouterr().err) == (len(os.fsencode(Path(name).stem)) > 250)


def transcript_samples():
    import numpy as np

    return np.zeros(1600, np.float32)


def test_a_path_that_is_too_long_is_told(inputs, out):
    folder = out.joinpath(*["x" * 250] * 20)
    assert "shorter" in refused(inputs("a.wav"), output(folder))
    assert "shorter" in refused(inputs("a.wav"), output(out / ("x" * 300)))


def test_a_name_that_the_file_system_refuses_is_told(inputs, out, monkeypatch):
    """Some take no colon, some no bytes that are no character."""

    def picky(self, *_, **__):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(Path, "touch", picky)
    message = refused(["a:b\n.wav"], output(out))
    assert "Invalid argument" in message
    assert r"a:b\n" in message


@pytest.mark.parametrize(
    "name", ["[red]id[/red].wav", "a\nb.wav", "-rf.wav", "a\u202evaw.wav", "\x1b[31m.wav"], ids=ascii
)
def test_odd_names_are_kept_on_disk_and_escaped_in_messages(inputs, out, name):
    files = inputs(name, f"other/{name}")
    run(files[:1], output(out))
    run(files[:1], output(out))
    assert visible(out) == sorted(f"{Path(name).stem}.{ending}" for ending in ("txt", "json"))
    message = refused(files[1:], output(out))
    assert not set(message) & set("\n\x1b\u202e")


def test_bytes_that_are_no_character_are_an_ordinary_name(inputs, out):
    files = inputs(os.fsdecode(b"\xe9t\xe9.wav"))
    run(files, output(out))
    run(files, output(out))
    assert b"\xe9t\xe9.txt" in [os.fsencode(path.name) for path in out.iterdir()]


def test_standard_output_that_is_closed_is_told(monkeypatch, inputs):
    monkeypatch.setattr("sys.stdout", None)
    assert "standard output is closed" in refused(inputs("a.wav"), output(None, "txt"))


def test_standard_output_of_a_library_is_taken_as_it_is(monkeypatch, inputs):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    prepare(inputs("a.wav"), output(None, "txt"))


def test_two_calls_at_once_know_each_others_outputs(inputs, out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the rescue file goes
    mine, other = inputs("mon/talk.wav", "tue/talk.wav")
    wanted = output(out, "txt")
    mine_targets, other_targets = prepare([mine], wanted), prepare([other], wanted)
    Delivery(wanted, other_targets).deliver(other, transcript(other))
    ledger = Ledger(out)
    with ledger.held():
        assert ledger.owner("talk.txt") == other
    with pytest.raises(Exception, match="meanwhile"):
        Delivery(wanted, mine_targets).deliver(mine, transcript(mine))
