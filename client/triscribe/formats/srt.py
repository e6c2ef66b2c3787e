"""SubRip subtitles."""

from __future__ import annotations

from triscribe.formats import bidi
from triscribe.formats.base import Writer, clock
from triscribe.formats.cues import Cue, cues
from triscribe.formats.options import WriteOptions
from triscribe.types import Transcript


def render(transcript: Transcript, options: WriteOptions) -> str:
    """Numbered cues; `SPEAKER_00: ` where the speaker changes; empty when nobody spoke."""
    return "".join(
        f"{number}\n{clock(cue.start_ms, ',')} --> {clock(cue.end_ms, ',')}\n{_text(cue, options)}\n\n"
        for number, cue in enumerate(cues(transcript, options, name_speakers=True), start=1)
    )


def _text(cue: Cue, options: WriteOptions) -> str:
    lines = [bidi.embedded(line) if options.bidi_marks and cue.right_to_left else line for line in cue.lines]
    # SubRip has no escapes, and parsers take a line with an arrow for the next cue's times.
    return "\n".join(lines).replace("-->", "→")


WRITER = Writer("srt", render, text_file=True)
