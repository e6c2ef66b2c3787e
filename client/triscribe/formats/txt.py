"""Plain text: a line for each segment, and the speaker's name where the speaker changes."""

from __future__ import annotations

from triscribe.formats.base import clean, plain
from triscribe.types import Transcript


def render(transcript: Transcript) -> str:
    """The text, `SPEAKER_00: ` before the first segment of each speaker's turn; empty when nobody spoke."""
    lines = []
    last_speaker = None
    for segment in transcript.segments:
        text = clean(segment.text)
        if not text:
            continue
        changed = segment.speaker is not None and segment.speaker != last_speaker
        lines.append(f"{clean(segment.speaker or '')}: {text}" if changed else text)
        last_speaker = segment.speaker
    return "".join(f"{line}\n" for line in lines)


WRITER = plain("txt", render)
