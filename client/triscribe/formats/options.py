"""What a caller may choose about files: limits of subtitles, karaoke, bytes, and where the page finds its audio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from triscribe.errors import UsageError

HtmlAudio = Literal["auto", "embed", "link", "none"]


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Limits and looks of the written files; each writer takes what concerns it.

    The defaults are those of broadcasters: lines, seconds and gap from Netflix's Timed Text Style Guide (two lines of
    42, 5/6 s to 7 s, 2 frames at 24 fps), the reading speed from its guides for most European languages, which is
    also the upper end of the BBC's 160 to 180 words a minute, and near Netflix's 9 characters a second for Chinese.

    Attributes:
        max_line_width: columns of a line; a full-width character counts two, a combining mark none.
        max_lines: lines of a cue.
        max_s: seconds on screen at most.
        min_s: seconds on screen at least, where the next cue leaves room.
        reading_speed: columns a second at most, where the next cue leaves room.
        gap_s: seconds between two cues that would otherwise touch.
        karaoke: mark each timed word as it is spoken (vtt and ass).
        bidi_marks: embed lines that are written from right to left (srt and txt), for players that take every line
            for one from left to right.
        bom: begin text files (txt, srt, vtt, ass, tsv) with a byte order mark.
        crlf: end lines of text files as Windows does.
        html_audio: `embed` puts the audio into the page, `link` refers to the file, `none` leaves it out; `auto`
            embeds a small file that browsers play, and links any other.
        folder: where the file will lie, which links are relative to; None: the working directory.
    """

    max_line_width: int = 42
    max_lines: int = 2
    max_s: float = 7.0
    min_s: float = 5 / 6
    reading_speed: float = 17.0
    gap_s: float = 2 / 24
    karaoke: bool = False
    bidi_marks: bool = False
    bom: bool = False
    crlf: bool = False
    html_audio: HtmlAudio = "auto"
    folder: Path | None = None

    def __post_init__(self) -> None:
        numbers = (self.max_s, self.min_s, self.reading_speed, self.gap_s)
        if not all(math.isfinite(number) for number in numbers):
            raise UsageError("the limits of a cue are finite numbers")
        if self.max_line_width < 2 or self.max_lines < 1:
            raise UsageError("a cue needs at least one line of two columns")
        if self.max_s <= 0 or self.min_s < 0 or self.gap_s < 0 or self.reading_speed <= 0:
            raise UsageError("a cue needs some time on screen, and neither a shortest time nor a gap below zero")
        if self.min_s > self.max_s:
            raise UsageError(f"a cue cannot last at least {self.min_s:g} s and at most {self.max_s:g} s")


DEFAULTS = WriteOptions()
