"""Spoken words → labels of the acoustic model."""

from __future__ import annotations

import json
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from .description import G2P, Description
from .errors import AlignError
from .runtime import Session

_CACHED_WORDS: Final = 20_000
_MAX_LETTERS: Final = 64
_MAX_PHONEMES: Final = 64
_BATCH: Final = 32
"""Words of one run: measured fastest of 16, 32, 64 and 221 on two cores (1.3 ms a word)."""


class Speller(Protocol):
    """Spells spoken words."""

    def spell(self, words: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """Labels of each distinct word; empty where the model has no label for any part of it."""


class CharacterSpeller:
    """For models whose labels are the letters themselves."""

    def __init__(self, description: Description) -> None:
        """Take the labels, and the romaniser where the description asks for it.

        Raises:
            AlignError: FAILED_PRECONDITION, uroman is not installed.
        """
        labels = description.labels
        self._roman = _romaniser() if description.spelling.romanise else str
        special = {labels.blank, labels.boundary, *labels.unused}
        self._labels = {name: index for index, name in enumerate(labels.names) if index not in special}

    def spell(self, words: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """See `Speller`."""
        return {word: tuple(label for letter in self._roman(word) for label in self._letter(letter)) for word in words}

    def _letter(self, letter: str) -> tuple[int, ...]:
        plain = "".join(c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c))
        for form in (letter, letter.lower(), letter.upper(), plain, plain.lower(), plain.upper()):
            if form in self._labels:
                return (self._labels[form],)
        return ()


@cache
def _romaniser() -> Callable[[str], str]:
    """The romaniser that the MMS aligners were trained with (uroman, Hermjakob et al. 2018); takes seconds to load."""
    try:
        import uroman  # noqa: PLC0415 - an option of the server
    except ImportError as error:
        message = "this aligner reads Latin letters: install triscribe[romanise]"
        raise AlignError("FAILED_PRECONDITION", message) from error
    romanise = uroman.Uroman().romanize_string
    return lru_cache(_CACHED_WORDS)(lambda word: str(romanise(word)).lower())


class PhonemeSpeller:
    """For phoneme models: a lexicon of frequent words, then the grapheme-to-phoneme model, cached."""

    def __init__(self, description: Description, *, threads: int) -> None:
        """Load lexicon and model.

        Raises:
            AlignError: FAILED_PRECONDITION, a file is missing or broken.
        """
        spelling, labels = description.spelling, description.labels
        usable = {name: index for index, name in enumerate(labels.names) if index not in labels.unused}
        self._model = _G2PModel(spelling.g2p, description.weights, usable, threads) if spelling.g2p else None
        self._lexicon = _read_lexicon(description.folder / spelling.lexicon, usable) if spelling.lexicon else {}
        self._cache: OrderedDict[str, tuple[int, ...]] = OrderedDict()

    def spell(self, words: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """See `Speller`."""
        spelt: dict[str, tuple[int, ...]] = {}
        unknown: list[str] = []
        for word in dict.fromkeys(words):
            known = self._lexicon.get(word) or self._cache.get(word)
            if known is not None:
                spelt[word] = known
            else:
                unknown.append(word)
        for word, labels in zip(unknown, self._predict(unknown), strict=True):
            spelt[word] = self._cache[word] = labels
        while len(self._cache) > _CACHED_WORDS:
            self._cache.popitem(last=False)
        return spelt

    def _predict(self, words: list[str]) -> list[tuple[int, ...]]:
        if self._model is None:
            return [()] * len(words)
        batches = (words[first : first + _BATCH] for first in range(0, len(words), _BATCH))
        return [labels for batch in batches for labels in self._model.predict(batch)]


def _read_lexicon(path: Path, labels: dict[str, int]) -> dict[str, tuple[int, ...]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        entries = (line.split("\t") for line in lines if line and not line.startswith("#"))
        return {word: tuple(labels[name] for name in names.split(" ")) for word, names in entries}
    except (OSError, KeyError, ValueError) as error:
        raise AlignError("FAILED_PRECONDITION", f"{path} is not a lexicon of this aligner: {error!r}") from error


class _G2PModel:
    """A sequence-to-sequence network, decoded greedily for a batch of words (batched equals one by one: it masks)."""

    _PAD, _START, _END = "<pad>", "<sos>", "<eos>"

    def __init__(self, files: G2P, weights: Path, labels: dict[str, int], threads: int) -> None:
        try:
            vocabulary = json.loads((weights / files.vocabulary).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise AlignError("FAILED_PRECONDITION", f"{weights / files.vocabulary}: {error}") from error
        self._letters = {token: index for index, token in enumerate(vocabulary["encoder"])}
        names: list[str] = vocabulary["decoder"]
        self._start, self._end = names.index(self._START), names.index(self._END)
        self._labels = [labels.get(name) for name in names]
        self._encoder = Session(weights / files.encoder, threads=threads, device="cpu")
        self._decoder = Session(weights / files.decoder, threads=threads, device="cpu")

    def predict(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        rows = [[self._letters.get(c, self._letters["<unk>"]) for c in word[:_MAX_LETTERS]] for word in words]
        letters = np.full((len(rows), max(map(len, rows))), self._letters[self._PAD], np.int64)  # (words, letters)
        for row, ids in enumerate(rows):
            letters[row, : len(ids)] = ids
        encoded, keys, hidden, mask, attention = self._encoder.run(
            ["encoder_outputs", "projected_keys", "hidden", "encoder_mask", "prev_attn"],
            {"input_ids": letters, "input_lengths": np.array([len(ids) for ids in rows], np.int64)},
        )
        fixed = {
            "encoder_outputs": encoded,
            "projected_keys": keys,
            "encoder_mask": mask,
            "positions": np.arange(encoded.shape[1], dtype=np.float32)[None],
        }
        token = np.full(len(rows), self._start, np.int64)  # (words,)
        ended = np.zeros(len(rows), bool)
        steps: list[NDArray[np.int64]] = []
        while len(steps) < _MAX_PHONEMES and not ended.all():
            token, hidden, attention = self._decoder.run(
                ["next_token_ids", "hidden_out", "prev_attn_out"],
                {**fixed, "decoder_input_ids": token[:, None], "hidden": hidden, "prev_attn": attention},
            )
            ended |= token == self._end
            steps.append(np.where(ended, self._end, token))
        tokens = np.stack(steps, axis=1)  # (words, phonemes)
        return [tuple(label for t in row if (label := self._labels[t]) is not None) for row in tokens.tolist()]
