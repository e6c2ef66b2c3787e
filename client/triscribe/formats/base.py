"""What every writer is, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triscribe.formats.options import DEFAULTS, WriteOptions
from triscribe.types import Segment, Transcript


@dataclass(frozen=True, slots=True)
class Writer:
    """One output format.

    Attributes:
        extension: of the files, without the dot.
        write: the content of a file; text is written as UTF-8 (see `encoded`).
        text_file: whether people, players and editors read it as plain text, so that `bom` and `crlf` are for it.
    """

    extension: str
    write: Callable[[Transcript, WriteOptions], str | bytes]
    text_file: bool = False

    def render(self, transcript: Transcript, options: WriteOptions = DEFAULTS) -> str | bytes:
        """The content of a file for this transcript."""
        return self.write(transcript, options)


def plain(extension: str, write: Callable[[Transcript], str | bytes], *, text_file: bool = False) -> Writer:
    """A format that has no options of its own."""
    return Writer(extension, lambda transcript, _: write(transcript), text_file)


def encoded(content: str | bytes, writer: Writer | None = None, options: WriteOptions = DEFAULTS) -> bytes:
    """What goes into the file.

    A stray byte of a file name, which UTF-8 cannot carry, becomes a question mark.

    Args:
        content: what `writer` rendered.
        writer: None, where `bom` and `crlf` are not for the content.
        options: the byte order mark and the line ends of a text file.
    """
    if isinstance(content, bytes):
        return content
    if writer is not None and writer.text_file:
        content = ("\ufeff" if options.bom else "") + (content.replace("\n", "\r\n") if options.crlf else content)
    return content.encode("utf-8", "replace")


def written_in(transcript: Transcript, segment: Segment) -> str:
    """The language of a segment's text, which is not that of the speech where it was translated."""
    return "en" if transcript.task == "translate" else segment.language


def milliseconds(seconds: float) -> int:
    """Seconds as whole milliseconds; never negative, since no format can say that."""
    return max(0, round(seconds * 1000))


def clock(time_ms: int, point: str) -> str:
    """`HH:MM:SS` and milliseconds after `point`, as SRT ("," ) and WebVTT (".") write times."""
    seconds, ms = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"
