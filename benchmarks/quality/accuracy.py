"""Word error rate of Triscribe beside faster-whisper: same weights, same audio, one run.

    .venv/bin/python -m benchmarks.quality.accuracy [--data DIR] [--model base] [--set decoding.beam_size=1 ...]

Reads `asr/manifest.json` below the data folder: reference text for each recording. English is normalised as in the
Whisper paper (whisper_normalizer), the others by its basic normaliser. Languages without spaces are scored in
characters (CER), Chinese with its scripts folded into simplified (OpenCC).
Also joins the English recordings into one long one, for the share of reference words that both sides find there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import opencc
from faster_whisper import WhisperModel
from rich.console import Console
from rich.table import Table
from tests.harness.paths import DATA
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from triscribe.media import decoding
from triscribe.media.decoding import Decoded
from triscribe.models import ModelStore
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.speech.chunking import ChunkingOptions
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import RunOptions, Transcriber
from triscribe.triton.session import Session
from triscribe.types import SAMPLE_RATE, Samples

CHARACTER_LANGUAGES = {"zh", "ja", "yue", "th", "lo", "km", "my"}
CHINESE = {"zh", "yue"}
GAP_S = 1.0
"""Silence between the recordings of the joined one."""


@dataclass(frozen=True)
class Recording:
    """One recording with its reference; samples are float32 at 16 kHz, shape (n,)."""

    name: str
    language: str
    reference: str
    samples: Samples


def main() -> None:
    """Run both sides and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", default="base")
    parser.add_argument("--languages", default="", help="only these, comma-separated")
    parser.add_argument("--target-s", type=float, help="chunk length to aim at")
    parser.add_argument("--show", action="store_true", help="print what each side got wrong")
    arguments = parser.parse_args()
    recordings = load(arguments.data / "asr", set(filter(None, arguments.languages.split(","))))
    english = [recording for recording in recordings if recording.language == "en"]
    joined = join(english)

    started = time.monotonic()
    theirs = faster_whisper(arguments.model, [*recordings, joined])
    theirs_s = time.monotonic() - started
    started = time.monotonic()
    ours = asyncio.run(triscribe(arguments, [*recordings, joined]))
    ours_s = time.monotonic() - started

    console = Console(width=110)
    table = Table("language", "unit", "recordings", "reference units", "faster-whisper %", "Triscribe %", "difference")
    groups = defaultdict(list)
    for index, recording in enumerate(recordings):
        groups[recording.language].append(index)
    for language, indices in sorted(groups.items()):
        score = scorer(language)
        references = [recordings[i].reference for i in indices]
        errors = [score(references, [side[i] for i in indices]) for side in (theirs, ours)]
        unit = "CER" if language in CHARACTER_LANGUAGES else "WER"
        units = sum(len(units_of(language, text)) for text in references)
        table.add_row(
            language, unit, str(len(indices)), str(units), *(f"{100 * e:.2f}" for e in errors),
            f"{100 * (errors[1] - errors[0]):+.2f}",
        )  # fmt: skip
    console.print(table)
    if english:
        found = [recall(joined.reference, side[-1]) for side in (theirs, ours)]
        error = [scorer("en")([joined.reference], [side[-1]]) for side in (theirs, ours)]
        minutes = len(joined.samples) / SAMPLE_RATE / 60
        console.print(f"Joined English, {minutes:.1f} min: share of reference words found: faster-whisper sequential")
        console.print(
            f"{100 * found[0]:.2f} %, Triscribe {100 * found[1]:.2f} %; "
            f"WER {100 * error[0]:.2f} and {100 * error[1]:.2f} %."
        )
    console.print(f"Wall time, with loading: faster-whisper {theirs_s:.0f} s, Triscribe {ours_s:.0f} s.")
    if arguments.show:
        show(console, recordings, theirs, ours)


def load(folder: Path, languages: set[str]) -> list[Recording]:
    """The recordings of a manifest, decoded once for both sides."""
    entries = json.loads((folder / "manifest.json").read_text())
    return [
        Recording(e["audio"], e["lang"], e["text"], decoding.decode(folder / e["audio"]).samples)
        for e in entries
        if e.get("text") and (not languages or e["lang"] in languages)
    ]


def join(recordings: Sequence[Recording]) -> Recording:
    """All recordings one after the other, a pause between two."""
    pause = np.zeros(int(GAP_S * SAMPLE_RATE), np.float32)
    pieces = [piece for recording in recordings for piece in (recording.samples, pause)]
    return Recording("joined", "en", " ".join(r.reference for r in recordings), np.concatenate([pause, *pieces]))


def faster_whisper(model: str, recordings: Sequence[Recording]) -> list[str]:
    """faster-whisper, sequential, as it comes: beam 5, its own temperature ladder, int8."""
    whisper = WhisperModel(str(ModelStore().resolve(model)), device="cpu", compute_type="int8")
    texts = []
    for recording in recordings:
        segments, _ = whisper.transcribe(recording.samples, language=recording.language, beam_size=5)
        texts.append(" ".join(segment.text for segment in segments))
    return texts


async def triscribe(arguments: argparse.Namespace, recordings: Sequence[Recording]) -> list[str]:
    """Triscribe through its own server, as it comes."""
    options = TranscribeOptions()
    if arguments.target_s:
        options = replace(options, chunking=ChunkingOptions(target_s=arguments.target_s))
    with EmbeddedTriton(ServeOptions(models=(arguments.model,))) as server:
        async with Session(server.url) as session:

            async def one(recording: Recording) -> str:
                transcriber = Transcriber(server.url, replace(options, language=recording.language))
                decoded = Decoded(recording.samples)
                return (await transcriber.transcribe_in(session, decoded, RunOptions(name=recording.name))).text

            return list(await asyncio.gather(*(one(recording) for recording in recordings)))


def normaliser(language: str) -> Callable[[str], str]:
    """Case, punctuation and spelling folded, as for the Whisper paper, and Chinese scripts."""
    chosen: Any = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
    if language in CHINESE:
        simplified = opencc.OpenCC("t2s")
        return lambda text: str(chosen(simplified.convert(text)))
    return lambda text: str(chosen(text))


def units_of(language: str, text: str) -> list[str]:
    """Words, or characters where words are not written apart."""
    text = normaliser(language)(text)
    return list(text.replace(" ", "")) if language in CHARACTER_LANGUAGES else text.split()


def scorer(language: str) -> Callable[[Sequence[str], Sequence[str]], float]:
    """Error rate over all recordings of a language."""

    def score(references: Sequence[str], hypotheses: Sequence[str]) -> float:
        sides = [[" ".join(units_of(language, text)) for text in side] for side in (references, hypotheses)]
        return float(jiwer.wer(*sides))

    return score


def recall(reference: str, hypothesis: str) -> float:
    """Share of reference words that the hypothesis has in its place."""
    result = jiwer.process_words(*(" ".join(units_of("en", text)) for text in (reference, hypothesis)))
    return float(result.hits / (result.hits + result.substitutions + result.deletions))


def show(console: Console, recordings: Sequence[Recording], theirs: Sequence[str], ours: Sequence[str]) -> None:
    """The recordings in which the two sides differ most."""
    for recording, their, our in zip(recordings, theirs, ours, strict=False):
        score = scorer(recording.language)
        errors = [score([recording.reference], [text]) for text in (their, our)]
        if abs(errors[0] - errors[1]) > 0.01:
            console.print(f"{recording.name} {errors[0]:.3f} {errors[1]:.3f}\n  R {recording.reference}", markup=False)
            console.print(f"  F {their}\n  T {our}", markup=False)


if __name__ == "__main__":
    main()
