"""Tab-separated values: a segment a line, times in whole milliseconds."""

from __future__ import annotations

from triscribe.formats.base import milliseconds, plain
from triscribe.spacing import clean
from triscribe.types import Transcript

COLUMNS = ("start_ms", "end_ms", "speaker", "text")


def render(transcript: Transcript) -> str:
    """A line of column names, then a line for each segment; the speaker is empty when unknown."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for segment in transcript.segments:
        times = (str(milliseconds(segment.start)), str(milliseconds(segment.end)))
        rows.append((*times, clean(segment.speaker or ""), clean(segment.text)))
    return "".join("\t".join(row) + "\n" for row in rows)


WRITER = plain("tsv", render, text_file=True)
