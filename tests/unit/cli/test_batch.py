"""What a job writes, with a transcriber that was told what is said."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from triscribe.cli.batch import Job, Output
from triscribe.errors import AudioError
from triscribe.formats import WriteOptions
from triscribe.types import AudioInfo, Segment, Transcript

BOTH = WriteOptions(bom=True, crlf=True)
MARK = b"\xef\xbb\xbf"


class Told:
    @asynccontextmanager
    async def session(self):
        yield None

    async def transcribe_in(self, session, source, options, progress):
        if "bad" in source.name:
            raise AudioError("no audio")
        said = Segment(0, 1, "Hello.", "en", -0.2, 0.01, 1.2, 0.0)
        return Transcript(AudioInfo(str(source), 1.0), "en", 1.0, "base", "transcribe", (said,))


@pytest.fixture
def deliver(capfdbinary):
    def deliver(*files, formats=("txt",), folder=None, options=BOTH):
        asyncio.run(Job(Told(), Output(formats, folder, options)).run(files))  # type: ignore[arg-type]
        return capfdbinary.readouterr().out

    return deliver


def test_standard_output_has_the_line_ends_and_the_mark_asked_for(deliver):
    assert deliver("a.wav") == MARK + b"Hello.\r\n"
    assert deliver("a.wav", formats=("srt",)).startswith(MARK + b"1\r\n00:00:00,000 --> ")
    assert deliver("a.wav", options=WriteOptions()) == b"Hello.\n"


def test_several_files_on_standard_output_are_one_text(deliver):
    expected = b"==> a.wav <==\r\nHello.\r\n==> b.wav <==\r\nHello.\r\n"
    assert deliver("a.wav", "b.wav") == MARK + expected
    assert deliver("bad.wav", "a.wav", "b.wav") == MARK + expected


def test_each_file_begins_with_a_mark_where_it_is_text(deliver, tmp_path):
    deliver("a.wav", "b.wav", formats=("vtt", "tsv", "json"), folder=tmp_path)
    for name in ("a", "b"):
        assert (tmp_path / f"{name}.vtt").read_bytes().startswith(MARK + b"WEBVTT\r\n")
        assert (tmp_path / f"{name}.tsv").read_bytes().endswith(b"\t\tHello.\r\n")
        assert (tmp_path / f"{name}.json").read_bytes().startswith(b"{\n")
