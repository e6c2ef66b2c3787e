"""Tags and names of languages as langcodes reads them, which is loaded when the first one is read.

Decoders are started for every few recordings, and most of these name no language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langcodes import Language


_BCP47 = {"jw": "jv"}
"""Whisper's codes that are none of BCP-47."""


def bcp47(code: str | None) -> str:
    """The language code that callers see; empty for none."""
    return _BCP47.get(code or "", code or "")


def as_tag(text: str) -> Language | None:
    """The language of a tag such as "pt-BR"; None where the text is none."""
    import langcodes  # noqa: PLC0415 - see above

    return _tried(langcodes.Language.get, text)


def readings(text: str) -> Iterator[Language]:
    """What a text may mean: as a tag, then as a name in any language."""
    import langcodes  # noqa: PLC0415 - see above

    yield from filter(None, (_tried(parse, text) for parse in (langcodes.Language.get, langcodes.find)))


def _tried(parse: Callable[[str], Language], text: str) -> Language | None:
    try:
        return parse(text)
    except (LookupError, ValueError, SystemError):  # SystemError: marisa-trie, on a zero byte
        return None
