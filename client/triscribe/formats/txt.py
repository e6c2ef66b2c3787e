"""Plain text: a line for each segment, and the speaker's name where the speaker changes."""

from __future__ import annotations

from triscribe.formats import bidi
from triscribe.formats.base import Writer
from triscribe.formats.options import WriteOptions
from triscribe.spacing import clean
from triscribe.types import Transcript


def render(transcript: Transcript, options: WriteOptions) -> str:
    """The text, `SPEAKER_00: ` before the first segment of each speaker's turn; empty when nobody spoke."""
    lines = []
    last_speaker = None
    for segment in transcript.segments:
        text = clean(segment.text)
        if not text:
            continue
        changed = segment.speaker is not None and segment.speaker != last_speaker
        marked = options.bidi_marks and bidi.is_right_to_left(text)
        line = bidi.name_first(clean(segment.speaker or ""), marked=marked) + text if changed else text
        lines.append(bidi.embedded(line) if marked else line)
        last_speaker = segment.speaker
    return "".join(f"{line}\n" for line in lines)


WRITER = Writer("txt", render, text_file=True)
