"""Several languages in one recording: which is spoken when. Pure functions over what was detected.

The recording is cut into windows of some seconds, at every pause. A hidden Markov model decides: what was
detected in each window, weighed by its length, against the recording's own mix and the price of a change. One short
window among others of a language therefore does not flip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from triscribe.errors import FailedPreconditionError
from triscribe.speech import chunking
from triscribe.speech.chunking import ChunkingOptions
from triscribe.types import SAMPLE_RATE, Chunk, Samples, Span

WINDOWS = ChunkingOptions(target_s=4.0, max_s=8.0, max_gap_s=0.3, packing="pauses")
"""How a recording is cut into windows; the rests of the cut may be shorter."""

TRUSTED_S = 4.0
"""A window this long, or longer, is believed in full; of a shorter one, the mix of the recording makes up the rest."""

CHANGE = 2.0
"""Price of a change of language, in nats: a stretch inside another language has to be e⁴ = 55 times as likely."""

_FLOOR = 1e-4
"""No probability counts as less: detection is never that sure."""


@dataclass(frozen=True)
class Spoken:
    """A language, and how probable it was found to be there, 0 to 1, among those allowed.

    `is_guess`: it was found elsewhere in the recording, and may not hold here.
    """

    language: str
    probability: float
    is_guess: bool = False


def among(detected: Mapping[str, float], allowed: Sequence[str]) -> dict[str, float]:
    """The probabilities of the allowed languages (none given: all), which then sum to 1.

    Raises:
        FailedPreconditionError: the model knows one of them not.
    """
    unknown = [code for code in allowed if code not in detected]
    if unknown:
        raise FailedPreconditionError(f"the model does not know {', '.join(unknown)}", field="languages")
    kept = {code: detected[code] for code in allowed} if allowed else dict(detected)
    total = sum(kept.values())
    return {code: value / total for code, value in kept.items()} if total > 0 else {c: 1 / len(kept) for c in kept}


def mix(detected: Sequence[Mapping[str, float]], lengths_s: Sequence[float]) -> dict[str, float]:
    """The mean over windows, each weighted by its length."""
    total = sum(lengths_s)
    codes = {code for window in detected for code in window}
    return {c: sum(w.get(c, 0.0) * s for w, s in zip(detected, lengths_s, strict=True)) / total for c in codes}


def settle(
    detected: Sequence[Mapping[str, float]], lengths_s: Sequence[float], before: str | None = None
) -> list[Spoken]:
    """The likeliest language of each window (Viterbi), after speech in the language `before`."""
    if not detected:
        return []
    prior = mix(detected, lengths_s)
    codes = sorted(prior, key=prior.__getitem__, reverse=True)

    def scores(window: Mapping[str, float], length_s: float) -> list[float]:
        trust = min(1.0, length_s / TRUSTED_S)
        return [trust * _log(window.get(code, 0.0)) + (1 - trust) * _log(prior[code]) for code in codes]

    best = scores(detected[0], lengths_s[0])
    if before is not None:
        best = [score - CHANGE * (code != before) for code, score in zip(codes, best, strict=True)]
    came_from: list[list[int]] = []
    for window, length_s in zip(detected[1:], lengths_s[1:], strict=True):
        leader = max(range(len(codes)), key=best.__getitem__)
        origins = [leader if best[leader] - CHANGE > best[index] else index for index in range(len(codes))]
        gained = scores(window, length_s)
        best = [best[o] - CHANGE * (o != index) + gained[index] for index, o in enumerate(origins)]
        came_from.append(origins)
    path = [max(range(len(codes)), key=best.__getitem__)]
    for origins in reversed(came_from):
        path.append(origins[path[-1]])
    return [
        Spoken(codes[index], window.get(codes[index], 0.0))
        for index, window in zip(reversed(path), detected, strict=True)
    ]


def _log(probability: float) -> float:
    return math.log(max(probability, _FLOOR))


def chunks_by_language(
    samples: Samples, windows: Sequence[Chunk], spoken: Sequence[Spoken], options: ChunkingOptions
) -> tuple[list[Chunk], list[Spoken]]:
    """Chunks that hold one language each, and which.

    Args:
        samples: the recording, shape `(n_samples,)`.
        windows: where it was heard, in order.
        spoken: the language of each window.
        options: how neighbouring windows of one language are joined.
    """
    chunks: list[Chunk] = []
    languages: list[Spoken] = []
    for (code, is_sound), run in groupby(
        zip(windows, spoken, strict=True), key=lambda pair: (pair[1].language, pair[0].sure is not None)
    ):
        heard = list(run)
        if is_sound:  # what is speech in it is not known
            chunks += [replace(window, index=len(chunks) + n) for n, (window, _) in enumerate(heard)]
            languages += [spoken_there for _, spoken_there in heard]
            continue
        spans = [Span(round(w.start * SAMPLE_RATE), round(w.end * SAMPLE_RATE)) for w, _ in heard]
        for chunk in chunking.cut(samples, spans, options):
            inside = [(w, s) for w, s in heard if w.start < chunk.end and w.end > chunk.start]
            length_s = sum(w.duration for w, _ in inside)
            chunks.append(Chunk(len(chunks), chunk.start, chunk.samples))
            languages.append(Spoken(code, sum(s.probability * w.duration for w, s in inside) / length_s))
    return chunks, languages
