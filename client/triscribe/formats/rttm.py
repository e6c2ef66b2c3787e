"""RTTM: one line for each speaker turn, as NIST's and pyannote's scoring tools read it."""

from __future__ import annotations

import re
from pathlib import PurePath

from triscribe.formats.base import plain
from triscribe.types import Transcript

_NOT_IN_A_FIELD = re.compile(r"\s+")


def render(transcript: Transcript) -> str:
    """A `SPEAKER` line for each turn, overlapping ones included; times in seconds, the file name without its ending."""
    name = _field(PurePath(transcript.audio.path).stem or "-")
    return "".join(
        f"SPEAKER {name} 1 {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> {_field(turn.speaker)} <NA> <NA>\n"
        for turn in transcript.turns
    )


def _field(text: str) -> str:
    # Fields are separated by blanks and cannot be quoted.
    return _NOT_IN_A_FIELD.sub("_", text)


WRITER = plain("rttm", render)
