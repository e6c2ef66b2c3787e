"""The results of all chunks to one transcript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from triscribe.transcription.placing import Placed
from triscribe.types import Transcript


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
        warnings=(*frame.warnings, *(notice for part in results for notice in part.result.notices)),
    )


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
