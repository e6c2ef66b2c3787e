"""What `aligner.toml` says about one language's aligner."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .errors import AlignError

SAMPLE_RATE = 16_000
"""Samples per second of all audio in this package."""


@dataclass(frozen=True, slots=True)
class Emissions:
    """The acoustic model's file, tensors and clock (seconds).

    `window_s` is what one frame sees of the audio; it says how many frames a clip has that was padded.
    """

    model: str
    audio: str
    output: str
    frame_s: float
    first_frame_s: float
    normalise: Literal["none", "zero-mean-unit-variance"]
    padding_parity: bool
    lengths: str | None = None
    attention_mask: str | None = None
    window_s: float | None = None

    def frames(self, samples: int, most: int) -> int:
        """Frames of a clip; without `window_s` every frame of the run is the clip's own."""
        if self.window_s is None:
            return most
        return min(max(1, 1 + int((samples / SAMPLE_RATE - self.window_s) / self.frame_s + 1e-9)), most)


@dataclass(frozen=True, slots=True)
class Labels:
    """Names of the model's outputs, in order, and the ones with a meaning of their own."""

    names: tuple[str, ...]
    blank: int
    boundary: int | None
    unused: frozenset[int]


@dataclass(frozen=True, slots=True)
class G2P:
    """Files of the grapheme-to-phoneme model, in the weights' folder."""

    encoder: str
    decoder: str
    vocabulary: str


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a spoken word becomes labels.

    `romanise`: the labels are Latin letters whatever the script (MMS): words are written in them first.
    """

    tokenisation: Literal["characters", "phonemes"]
    romanise: bool = False
    lexicon: str | None = None
    g2p: G2P | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """How written words are spoken: the language's part of the expansion."""

    alphabet: str
    letter_names: str = "{letter}"
    point: str = ""
    negative: str = ""
    range: str = ""
    zero: str = ""
    decimal: str = "."
    currencies: Mapping[str, tuple[str, str, str, str]] = field(default_factory=dict)
    symbols: Mapping[str, str] = field(default_factory=dict)
    abbreviations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where a word's true edges lie from the centres of its first and last label's frames, in seconds."""

    start_s: float = 0.0
    end_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Description:
    """One language's aligner; `folder` holds aligner.toml and the link `weights/`.

    `refinement` names the file of the fitted edge model; without one the constant `calibration` applies.
    """

    language: str
    folder: Path
    licence: str
    emissions: Emissions
    labels: Labels
    spelling: Spelling
    text: Text
    calibration: Calibration
    refinement: str | None = None
    commercial_use: bool = True

    @property
    def weights(self) -> Path:
        """The folder with the model's files."""
        return self.folder / "weights"


def read(path: Path) -> Description:
    """Read one aligner.toml and the label file that it names.

    Raises:
        AlignError: FAILED_PRECONDITION, with the file and what is wrong with it.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Description(
            language=table["language"],
            folder=path.parent,
            licence=table["licence"],
            emissions=Emissions(**table["emissions"]),
            labels=_labels(table["labels"], path.parent / "weights"),
            spelling=_spelling(table["spelling"]),
            text=text_of(table),
            calibration=Calibration(**table.get("calibration", {})),
            refinement=table.get("refinement"),
            commercial_use=table.get("commercial_use", True),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise AlignError("FAILED_PRECONDITION", f"{path} does not describe an aligner: {error!r}") from error


def _labels(table: dict[str, Any], weights: Path) -> Labels:
    """Labels are given in place (`names`) or taken from a JSON file of the weights (a list, or a token → index map)."""
    names: Any = table.get("names")
    if names is None:
        names = json.loads((weights / table["file"]).read_text(encoding="utf-8"))
        if "key" in table:
            names = names[table["key"]]
        if isinstance(names, dict):
            names = sorted(names, key=names.__getitem__)
    names = (*names, *table.get("append", ()))
    boundary = table.get("boundary")
    return Labels(
        names=names,
        blank=names.index(table["blank"]),
        boundary=names.index(boundary) if boundary is not None else None,
        unused=frozenset(names.index(name) for name in table.get("unused", ())),
    )


def _spelling(table: dict[str, Any]) -> Spelling:
    g2p = table.get("g2p")
    return Spelling(**{**table, "g2p": G2P(**g2p) if g2p else None})


def text_of(table: dict[str, Any]) -> Text:
    """The `[text]` part of a description's table."""
    text = table.get("text", {})
    currencies = {sign: tuple(names) for sign, names in text.get("currencies", {}).items()}
    return Text(**{**text, "currencies": currencies, "alphabet": text.get("alphabet", "")})
