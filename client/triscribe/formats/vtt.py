"""WebVTT subtitles (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from triscribe.formats.base import Writer, clean, clock
from triscribe.formats.cues import DEFAULT_RULES, Cue, CueRules, cues
from triscribe.types import Transcript


def render(transcript: Transcript, rules: CueRules = DEFAULT_RULES) -> str:
    """The header, then cues, the speaker as a voice span; only the header when nobody spoke."""
    blocks = [
        f"{clock(cue.start_ms, '.')} --> {clock(cue.end_ms, '.')}\n{_payload(cue)}\n"
        for cue in cues(transcript, rules, name_speakers=False)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _payload(cue: Cue) -> str:
    text = "\n".join(_escaped(line) for line in cue.lines)
    return text if cue.speaker is None else f"<v {_escaped(clean(cue.speaker))}>{text}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


WRITER = Writer("vtt", render)
