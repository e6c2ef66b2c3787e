"""Many files through one transcriber, which answers at once: what is shown, written and counted."""

import asyncio
import os
from contextlib import asynccontextmanager
from typing import cast

import pytest

from tests.unit.cli.transcripts import transcript
from triscribe.cli.batch import Job
from triscribe.cli.outputs import Output
from triscribe.cli.places import prepare
from triscribe.errors import AudioError, ServingError
from triscribe.formats import WRITERS, WriteOptions
from triscribe.formats.options import DEFAULTS
from triscribe.transcription.transcriber import Transcriber

ODD = [
    "[red]id.wav",
    "[id].wav",
    "a\nb.wav",
    "-rf.wav",
    "\x1b]0;title\x07.wav",
    "\u05d0\u05d1.wav",
    "a\u202evaw.wav",
    os.fsdecode(b"\xff\xe9.wav"),
    "语" * 82,
]


class Scripted:
    """Knows what every file says; those called `bad` cannot be decoded, those called `lost` lose the server."""

    @asynccontextmanager
    async def session(self):
        yield None

    async def transcribe_in(self, session, source, options, *, progress):
        progress(1.0, 2.0)
        if source.stem == "bad":
            raise AudioError(f"{source} is broken")
        if source.stem.startswith("lost"):
            raise ServingError("Triton ended")
        return transcript(str(source))


def run(files, folder, *formats):
    output = Output(formats or ("txt",), folder, DEFAULTS)
    return asyncio.run(Job(cast(Transcriber, Scripted()), output, prepare(files, output)).run())


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_an_odd_name_is_written_in_every_format_and_shown_safely(tmp_path, monkeypatch, capfd, name):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal: with bars
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / name
    path.write_bytes(b"media")
    assert run([str(path)], tmp_path / "out", *WRITERS) == 0
    written = [found for found in (tmp_path / "out").iterdir() if found.is_file()]
    assert len(written) == len(WRITERS)
    assert all(found.stat().st_size for found in written if found.suffix != ".rttm")  # nobody was named
    shown = capfd.readouterr().err
    assert name[:5] in shown or not name[:5].isascii() or not name[:5].isprintable()
    assert "\u202e" not in shown
    assert "\x1b]" not in shown
    assert "\x07" not in shown


@pytest.mark.parametrize("name", ["[red]id[/blue]", "a\nb", "a\u202eb", os.fsdecode(b"\xff")], ids=ascii)
def test_a_fault_with_an_odd_name_is_one_line(tmp_path, capfd, name):
    assert run([f"{name}/bad.wav", "good.wav"], tmp_path) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith("is broken")
    assert "\u202e" not in line
    assert (tmp_path / "good.txt").exists()


def test_a_file_that_is_rescued_counts_as_failed_and_the_others_go_on(tmp_path, monkeypatch, capfd):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    output = Output(("txt",), tmp_path / "out", DEFAULTS)
    targets = prepare(["a.wav", "b.wav"], output)
    (tmp_path / "out" / "a.txt").mkdir()
    assert asyncio.run(Job(cast(Transcriber, Scripted()), output, targets).run()) == 1
    assert (tmp_path / "out" / "b.txt").exists()
    (line,) = capfd.readouterr().err.splitlines()
    (rescued,) = (tmp_path / "here").iterdir()
    assert str(rescued) in line


def test_a_path_spelt_twice_is_done_once(tmp_path, capfd):
    assert run(["a.wav", "./a.wav"], None) == 0
    assert capfd.readouterr().out.count("words of") == 1


BOTH = WriteOptions(bom=True, crlf=True)
MARK = b"\xef\xbb\xbf"


@pytest.fixture
def deliver(capfdbinary):
    def deliver(*files, formats=("txt",), folder=None, options=BOTH):
        output = Output(formats, folder, options)
        asyncio.run(Job(cast(Transcriber, Scripted()), output, prepare(files, output)).run())
        return capfdbinary.readouterr().out

    return deliver


def test_standard_output_has_the_line_ends_and_the_mark_asked_for(deliver):
    assert deliver("a.wav").startswith(MARK)
    assert deliver("a.wav").endswith(b"\r\n")
    assert deliver("a.wav", formats=("srt",)).startswith(MARK + b"1\r\n00:00:00,000 --> ")
    assert not deliver("a.wav", options=WriteOptions()).startswith(MARK)


def test_several_files_on_standard_output_are_one_text(deliver):
    for files in (("a.wav", "b.wav"), ("bad.wav", "a.wav", "b.wav")):
        text = deliver(*files)
        assert text.startswith(MARK + b"==> a.wav <==\r\n")
        assert text.count(MARK) == 1
        assert b"\r\n==> b.wav <==\r\n" in text


def test_each_file_begins_with_a_mark_where_it_is_text(deliver, tmp_path):
    deliver("a.wav", "b.wav", formats=("vtt", "tsv", "json"), folder=tmp_path)
    for name in ("a", "b"):
        assert (tmp_path / f"{name}.vtt").read_bytes().startswith(MARK + b"WEBVTT\r\n")
        assert (tmp_path / f"{name}.tsv").read_bytes().endswith(b"\r\n")
        assert (tmp_path / f"{name}.json").read_bytes().startswith(b"{\n")


def test_a_server_that_fails_is_told_once_and_the_rest_is_delivered(tmp_path, capfd):
    with pytest.raises(ServingError, match="Triton ended"):
        run(["lost1.wav", "good.wav", "bad.wav", "lost2.wav"], tmp_path)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith("bad.wav is broken")
    assert (tmp_path / "good.txt").exists()


@pytest.mark.parametrize("error", [None, ServingError("Triton ended")])
def test_the_start_of_the_server_is_shown_on_a_terminal(tmp_path, monkeypatch, capfd, error):
    monkeypatch.setenv("FORCE_COLOR", "1")
    waited = []

    async def starting():
        waited.append(True)
        if error:
            raise error

    output = Output(("txt",), tmp_path, DEFAULTS)
    job = Job(cast(Transcriber, Scripted()), output, prepare(["good.wav"], output), starting=starting)
    assert asyncio.run(job.run()) == 0
    assert waited
    assert "never retrieved" not in capfd.readouterr().err
