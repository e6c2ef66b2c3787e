"""Text that is written from right to left: which is, and how a line says so.

A player that knows a line's base direction puts its full stop at the left and its Latin names and digits in order.
Unicode takes the direction from the first letter, which a name in another script gets wrong.
"""

from __future__ import annotations

import unicodedata

RIGHT_TO_LEFT_MARK = "\u200f"
_EMBEDDING, _POP = "\u202b", "\u202c"


def is_right_to_left(text: str) -> bool:
    """Whether most letters are Hebrew, Arabic or of another script written from right to left."""
    kinds = [unicodedata.bidirectional(character) for character in text]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def led(line: str) -> str:
    """What to put before a line written from right to left, so that its first letter shows the direction."""
    kinds = (unicodedata.bidirectional(character) for character in line)
    first = next((kind for kind in kinds if kind in ("L", "R", "AL")), "L")
    return RIGHT_TO_LEFT_MARK if first == "L" else ""


def name_first(name: str, *, marked: bool) -> str:
    """A speaker's name before what is said; `marked`: in a line that will be `embedded`.

    Without the mark, two Latin names that follow each other would stand in the order of Latin text.
    """
    return f"{name}:{RIGHT_TO_LEFT_MARK if marked else ''} "


def embedded(line: str) -> str:
    """The line written from right to left for players that take every line for one from left to right."""
    return f"{_EMBEDDING}{line}{_POP}"
