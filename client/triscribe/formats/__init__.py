"""Writers: a `Transcript` to the content of a file."""

from __future__ import annotations

from triscribe.formats import ass, html, json, rttm, srt, timeline, tsv, txt, vtt
from triscribe.formats.base import Writer, encoded
from triscribe.formats.options import WriteOptions

WRITERS: dict[str, Writer] = {
    "txt": txt.WRITER,
    "srt": srt.WRITER,
    "vtt": vtt.WRITER,
    "ass": ass.WRITER,
    "html": html.WRITER,
    "tsv": tsv.WRITER,
    "json": json.WRITER,
    "rttm": rttm.WRITER,
    "png": timeline.PNG,
    "svg": timeline.SVG,
}
"""Every output format by the name that `--format` takes."""

__all__ = ["WRITERS", "WriteOptions", "Writer", "encoded"]
