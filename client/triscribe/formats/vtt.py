"""WebVTT subtitles (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from triscribe.formats.base import Writer, clock
from triscribe.formats.cues import Cue, cues
from triscribe.formats.options import WriteOptions
from triscribe.spacing import clean
from triscribe.types import Transcript

# Players that know no STYLE block skip it and still find the times.
_KARAOKE_STYLE = "STYLE\n::cue(:future) {\n  opacity: 0.6;\n}\n"


def render(transcript: Transcript, options: WriteOptions) -> str:
    """The header, then cues, the speaker as a voice span; only the header when nobody spoke.

    With `karaoke` each timed word is a class span after the time at which it is spoken.
    """
    payload = _karaoke if options.karaoke else _plain
    blocks = [
        f"{clock(cue.start_ms, '.')} --> {clock(cue.end_ms, '.')}\n{_voice(cue)}{payload(cue)}\n"
        for cue in cues(transcript, options, name_speakers=False)
    ]
    return "\n".join(["WEBVTT\n", *([_KARAOKE_STYLE] if options.karaoke and blocks else []), *blocks])


def _voice(cue: Cue) -> str:
    return "" if cue.speaker is None else f"<v {_escaped(clean(cue.speaker))}>"


def _plain(cue: Cue) -> str:
    return "\n".join(cue.lead(line) + _escaped(line) for line in cue.lines)


def _karaoke(cue: Cue) -> str:
    # The specification wants times inside a cue to grow, and to lie between its own.
    last_ms = cue.start_ms
    lines = []
    for row, text in zip(cue.rows, cue.lines, strict=True):
        line = cue.lead(text)
        for word in row:
            line += " " if word.space else ""
            if word.timed and last_ms < word.start_ms < cue.end_ms:
                line += f"<{clock(word.start_ms, '.')}>"
                last_ms = word.start_ms
            line += f"<c>{_escaped(word.text)}</c>" if word.timed else _escaped(word.text)
        lines.append(line)
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


WRITER = Writer("vtt", render, text_file=True)
