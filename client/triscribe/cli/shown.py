"""Text of others, such as the name of a file, as a terminal may be given it."""

from __future__ import annotations

import re

# Control characters, whatever breaks a line, what reorders the characters after it, and bytes that are no character.
_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_ODD = re.compile(f"[{_CONTROLS}]")
_ODD_IN_LINES = re.compile(f"(?!\n)[{_CONTROLS}]")


def shown(text: str, *, lines: bool = False) -> str:
    r"""The text with an escape for every character that would act on the terminal: a line break becomes `\n`.

    Args:
        text: anything; a byte of a file name that is no character becomes `\xff`.
        lines: keep line breaks, for messages that have several lines on purpose.
    """
    return (_ODD_IN_LINES if lines else _ODD).sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that Python kept aside
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
