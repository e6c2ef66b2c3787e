"""The results of all chunks to one transcript."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from triscribe.transcription.placing import Placed
from triscribe.types import Notice, Transcript

_TOUCHING_S = 0.5
"""Seconds between two stretches of which the same is said, as one."""


def stitch(frame: Transcript, results: Sequence[Placed], language: str | None) -> Transcript:
    """Put the results of all chunks, in order, into the file's `frame`.

    Args:
        frame: what is known of the file without them.
        results: of all chunks, in order.
        language: the one that was given; None takes that of most of the speech.
    """
    main, probability = (language, 1.0) if language else _main_language(results)
    return replace(
        frame,
        language=main,
        language_probability=probability,
        model=results[0].result.model if results else frame.model,
        segments=tuple(segment for part in results for segment in part.result.segments),
        warnings=(*frame.warnings, *joined(notice for part in results for notice in part.result.notices)),
    )


def joined(notices: Iterable[Notice]) -> list[Notice]:
    """The notices in order, those that say the same of a stretch and of what follows it as one."""
    kept: list[Notice] = []
    last: dict[tuple[str, str], int] = {}  # place of the last notice of each kind
    for notice in notices:
        kind = (notice.code, notice.message)
        place = last.get(kind)
        end = None if place is None else kept[place].end
        if place is not None and end is not None and notice.start is not None and notice.start <= end + _TOUCHING_S:
            kept[place] = replace(kept[place], end=notice.end)
        else:
            last[kind] = len(kept)
            kept.append(notice)
    return kept


def _main_language(results: Sequence[Placed]) -> tuple[str | None, float]:
    """The language of most of the speech, and how probable it is there."""
    shares: dict[str, float] = {}
    for part in results:
        if part.result.language:
            shares[part.result.language] = shares.get(part.result.language, 0.0) + part.duration
    if not shares:
        return None, 0.0
    main = max(shares, key=shares.__getitem__)
    sure_s = sum(part.duration * part.result.language_probability for part in results if part.result.language == main)
    return main, sure_s / shares[main]
