"""One language's way from audio and written words to times: read, spell, search, refine, lay out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from . import refine
from .description import SAMPLE_RATE, Description
from .edges import Plan, Sounding, plan
from .g2p import CharacterSpeller, PhonemeSpeller, Speller
from .layout import AlignedWord, Heard, lay_out
from .runtime import Device, Emitter
from .spoken import UNSPELLABLE, Reader, Reading
from .trim import with_even_silence
from .untold import UntoldSpeech
from .viterbi import WILDCARD_WORD, Alignment, Costs, LabelSpan, align

_SHORTEST_CLIP_SAMPLES: Final = 800
"""Below 50 ms there is nothing to align (and wav2vec2 needs 400 samples for one frame)."""

_LONG_WORD: Final = 6
_UNLIKELY: Final = 0.1
"""Words of so many labels that were said reach 0.18 at least on the development words; short ones may be swallowed."""

_Spelt = tuple[tuple[int, ...], ...]
"""The labels of each spoken word of one reading."""


@dataclass(frozen=True, slots=True)
class _Script:
    """What may be said: the readings of each written word, spelt."""

    readings: list[tuple[_Spelt, ...]]

    def flat(self, chosen: list[int]) -> list[tuple[int, ...]]:
        """The spoken words of the chosen readings."""
        return [word for readings, index in zip(self.readings, chosen, strict=True) for word in readings[index]]

    def grouped(self, spans: list[list[LabelSpan]], chosen: list[int]) -> list[list[LabelSpan]]:
        """Spans of the spoken words, joined for each written word."""
        words = iter(spans)
        return [
            [span for _ in readings[index] for span in next(words)]
            for readings, index in zip(self.readings, chosen, strict=True)
        ]


class LanguageAligner:
    """Aligns one language; loads its models when made."""

    def __init__(
        self, description: Description, *, threads: int, device: Device, refinement: refine.Refinement | None = None
    ) -> None:
        """Load the models.

        Args:
            description: the language's aligner.
            threads: threads of one run on the CPU.
            device: where the acoustic model runs.
            refinement: takes the place of the one that the description names (to fit a new one).

        Raises:
            AlignError: FAILED_PRECONDITION, a file is missing or broken.
        """
        self._description = description
        self._costs = Costs()
        self._emitter = Emitter(description.emissions, description.weights, threads=threads, device=device)
        self._reader = Reader(description.text, description.language)
        name = description.refinement
        self._refinement = refinement or (refine.read(description.folder / name) if name else None)
        self._speller: Speller = (
            PhonemeSpeller(description, threads=threads)
            if description.spelling.tokenisation == "phonemes"
            else CharacterSpeller(description)
        )

    def align(self, audio: NDArray[np.float32], words: list[str]) -> list[AlignedWord]:
        """Time every word; see `Aligner.align`."""
        duration = len(audio) / SAMPLE_RATE
        speech, begin = with_even_silence(audio)
        if len(speech) < _SHORTEST_CLIP_SAMPLES:
            return lay_out(words, [None] * len(words), duration)
        (emissions,) = self._emitter([speech])  # (frames, labels)
        spans = self._search(emissions, self._script(words))
        heard = [word and word.later(begin) for word in self._times(speech, emissions, spans)]
        return lay_out(words, heard, duration)

    def _script(self, words: list[str]) -> _Script:
        readings = [self._reader.readings(word) for word in words]
        spelt = self._speller.spell(
            {token for word in readings for reading in word for token in reading} - {UNSPELLABLE}
        )

        def spell(reading: Reading) -> _Spelt:
            return tuple(spelt.get(token) or WILDCARD_WORD for token in reading)

        return _Script([tuple(map(spell, word)) for word in readings])

    def _search(self, emissions: NDArray[np.float32], script: _Script) -> list[list[LabelSpan]]:
        """Spans of the labels of each written word."""
        chosen = [0] * len(script.readings)
        spans = script.grouped(self._align(emissions, script.flat(chosen)).words, chosen)
        better = [self._best_reading(emissions, script, spans, index) for index in range(len(chosen))]
        if better != chosen:
            spans = script.grouped(self._align(emissions, script.flat(better)).words, better)
        said = [readings[index] for readings, index in zip(script.readings, better, strict=True)]
        unlikely = {index for index, word in enumerate(spans) if _is_unlikely(word, said[index])}
        if not unlikely:
            return spans
        rest = _Script([((),) if index in unlikely else (reading,) for index, reading in enumerate(said)])
        return rest.grouped(self._align(emissions, rest.flat(chosen)).words, chosen)

    def _best_reading(
        self, emissions: NDArray[np.float32], script: _Script, spans: list[list[LabelSpan]], index: int
    ) -> int:
        """The reading of one word that fits best between the neighbours that the first search found."""
        readings = script.readings[index]
        if len(readings) == 1:
            return 0
        first = next((word[-1].last + 1 for word in reversed(spans[:index]) if word), 0)
        after = next((word[0].first for word in spans[index + 1 :] if word), len(emissions))
        window = emissions[first:after]
        return int(np.argmax([self._align(window, reading).score for reading in readings]))

    def _align(self, emissions: NDArray[np.float32], words: _Spelt | list[tuple[int, ...]]) -> Alignment:
        labels = self._description.labels
        return align(emissions, words, labels.blank, labels.boundary, self._costs)

    def _times(
        self, audio: NDArray[np.float32], emissions: NDArray[np.float32], spans: list[list[LabelSpan]]
    ) -> list[Heard | None]:
        """When each written word was heard, None where it was not."""
        known = _known(spans)
        if self._refinement is None:
            return [self._calibrated(word) for word in known]
        seen, planned = self._evidence(audio, emissions, known)
        times = refine.decide(seen, planned.edges, self._refinement) if seen else []
        heard: list[Heard | None] = []
        for word, start, end in zip(known, planned.starts, planned.ends, strict=True):
            if start is None or end is None:
                heard.append(None)
            else:
                heard.append(Heard(times[start], times[end], _probability(word)))
        return heard

    def evidence(self, audio: NDArray[np.float32], words: list[str]) -> tuple[refine.Evidence | None, Plan]:
        """What the edge model sees of a chunk, and the edges it has to find; for fitting the model."""
        (emissions,) = self._emitter([audio])
        return self._evidence(audio, emissions, _known(self._search(emissions, self._script(words))))

    def _evidence(
        self, audio: NDArray[np.float32], emissions: NDArray[np.float32], known: list[list[LabelSpan]]
    ) -> tuple[refine.Evidence | None, Plan]:
        words = [self._sounding(word) for word in known]
        planned = plan(words, self._untold(emissions, known), len(audio) / SAMPLE_RATE)
        sounding = [word for word in words if word is not None]
        if not sounding:
            return None, planned
        labels, clock = self._description.labels, self._description.emissions
        boundary = labels.blank if labels.boundary is None else labels.boundary
        silent = np.exp(emissions[:, [boundary, labels.blank]])  # (frames, 2)
        speech = (sounding[0].first_s, sounding[-1].last_s)
        return refine.evidence(audio, silent, clock, speech), planned

    def _untold(self, emissions: NDArray[np.float32], known: list[list[LabelSpan]]) -> list[Sounding | None]:
        """Speech without text before each heard word, and after the last one."""
        labels = self._description.labels
        speech = UntoldSpeech(emissions, labels.blank, labels.boundary)
        found: list[Sounding | None] = [None] * (len(known) + 1)
        last: int | None = None
        for index, word in enumerate([*known, []]):
            if not word and index < len(known):
                continue
            frames = speech.between(last, word[0].first if word else None)
            if frames is not None:
                first, final = (LabelSpan(int(speech.labels[frame]), frame, frame, 1.0) for frame in frames)
                found[index] = self._sounding([first, final])
            last = word[-1].last if word else None
        return found

    def _sounding(self, word: list[LabelSpan]) -> Sounding | None:
        if not word or self._refinement is None:
            return None
        names = self._description.labels.names
        first, last = word[0], word[-1]
        return Sounding(
            self._seconds(first.first),
            self._seconds(last.last),
            self._refinement.kind(names[first.label]),
            self._refinement.kind(names[last.label]),
        )

    def _calibrated(self, word: list[LabelSpan]) -> Heard | None:
        if not word:
            return None
        calibration = self._description.calibration
        start = self._seconds(word[0].first) + calibration.start_s
        return Heard(start, self._seconds(word[-1].last) + calibration.end_s, _probability(word))

    def _seconds(self, frame: int) -> float:
        clock = self._description.emissions
        return clock.first_frame_s + frame * clock.frame_s


def _known(spans: list[list[LabelSpan]]) -> list[list[LabelSpan]]:
    """Without the wildcards: what they cover says nothing about the word."""
    return [[span for span in word if span.label >= 0] for word in spans]


def _is_unlikely(spans: list[LabelSpan], said: _Spelt) -> bool:
    """Whether a long word is hardly heard where it was put: a number that nobody said, for one."""
    labels = sum(map(len, said))
    return labels >= _LONG_WORD and sum(span.probability for span in spans) < _UNLIKELY * labels


def _probability(word: list[LabelSpan]) -> float:
    return min(float(np.mean([span.probability for span in word])), 1.0)
