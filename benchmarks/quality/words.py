#!/usr/bin/env python3
"""Word boundaries against hand labels: the aligner beside faster-whisper's cross-attention, in one run.

    .venv/bin/python -m benchmarks.quality.words [--whisper base] [--languages FOLDER] [--words FOLDER] [--json OUT]

Both sides time the same transcript, which Whisper wrote: words are matched to the reference by text, and a boundary
counts where the word was matched. Reports per side: recall (reference words matched and timed), median and 90th
percentile of the absolute error over starts and ends, share within 20 ms, signed medians (the bias), and the median
and spread of the cost for clips of 10 s and 30 s.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import tempfile
import time
import tomllib
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.harness.paths import DATA, REPOSITORY

from benchmarks.speed import inprocess  # noqa: F401 - puts the models on the path
from triscribe.media.decoding import decode
from triscribe.models import ModelStore
from triscribe.types import SAMPLE_RATE
from triscribe_align.service import Aligner

REPEATS = 15


@dataclass(frozen=True)
class Timed:
    """A written word with its times in seconds."""

    word: str
    start: float
    end: float


@dataclass(frozen=True)
class Clip:
    """One labelled recording and what faster-whisper made of it."""

    name: str
    audio: NDArray[np.float32]
    reference: list[Timed]
    attention: list[Timed]


@dataclass(frozen=True)
class Accuracy:
    """Times are milliseconds; `recall` and `within_20` are shares."""

    recall: float
    boundaries: int
    median_ms: float
    p90_ms: float
    p95_ms: float
    within_20: float
    start_bias_ms: float
    end_bias_ms: float


def main() -> None:
    """Run both sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whisper", default="base", help="checkpoint that writes the transcripts: a name or a folder")
    parser.add_argument(
        "--languages", type=Path, help="assembled aligners (default: the repository's, linked to the cache)"
    )
    parser.add_argument("--words", type=Path, default=DATA / "words")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        aligner = Aligner(args.languages or assembled(Path(folder)), threads=args.threads)
        compare(aligner, transcribe(args.words, str(ModelStore().resolve(args.whisper)), args.threads), args.json)


def assembled(folder: Path) -> Path:
    """The repository's languages with their weights linked from the cache."""
    languages = shutil.copytree(REPOSITORY / "model_repository" / "align" / "languages", folder / "languages")
    for description in languages.glob("*/aligner.toml"):
        weights = tomllib.loads(description.read_text())["weights"]
        (description.parent / "weights").symlink_to(ModelStore().pull(weights))
    return languages


def compare(aligner: Aligner, clips: list[Clip], output: Path | None) -> None:
    """Measure both sides and the cost, print, and write the figures to `output` if wanted."""
    sides = {"faster-whisper": [clip.attention for clip in clips], "triscribe": []}
    for clip in clips:
        written = [word.word for word in clip.attention]
        aligned = aligner.align(clip.audio, written, "en")
        sides["triscribe"].append([Timed(w, a.start, a.end) for w, a in zip(written, aligned, strict=True)])
    report: dict[str, Any] = {name: asdict(measure(clips, found)) for name, found in sides.items()}
    given = [
        [Timed(w.word, a.start, a.end) for w, a in zip(clip.reference, reference_times(aligner, clip), strict=True)]
        for clip in clips
    ]
    report["triscribe, reference text"] = asdict(measure(clips, given))
    show(report)
    report["cost"] = [cost(aligner, clips, seconds) for seconds in (10, 30)]
    for row in report["cost"]:
        print(
            f"{row['seconds']} s, {row['words']} words: median {row['median_ms']:.1f} ms "
            f"({row['min_ms']:.1f} to {row['max_ms']:.1f}), {row['x_real_time']:.0f} x real time; "
            f"first time, words never seen: {row['first_ms']:.1f} ms"
        )
    if output:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def transcribe(folder: Path, checkpoint: str, threads: int) -> list[Clip]:
    """Whisper's words and their cross-attention times."""
    from faster_whisper import WhisperModel

    model = WhisperModel(checkpoint, device="cpu", compute_type="int8", cpu_threads=threads)
    clips = []
    for entry in json.loads((folder / "manifest.json").read_text(encoding="utf-8")):
        audio = decode(folder / entry["audio"]).samples
        segments, _ = model.transcribe(audio, language="en", beam_size=5, word_timestamps=True)
        words = [Timed(word.word.strip(), word.start, word.end) for segment in segments for word in segment.words]
        reference = [Timed(word["word"], word["start"], word["end"]) for word in entry["words"]]
        clips.append(Clip(entry["audio"], audio, reference, words))
    return clips


def reference_times(aligner: Aligner, clip: Clip) -> list[Any]:
    """Times of the reference's own words: what is left when the transcript is right."""
    return aligner.align(clip.audio, [word.word for word in clip.reference], "en")


def measure(clips: list[Clip], found: list[list[Timed]]) -> Accuracy:
    """Match words by text and compare their boundaries."""
    starts: list[float] = []
    ends: list[float] = []
    for clip, words in zip(clips, found, strict=True):
        matcher = SequenceMatcher(None, [plain(w.word) for w in clip.reference], [plain(w.word) for w in words], False)
        for a, b, size in matcher.get_matching_blocks():
            for reference, word in zip(clip.reference[a : a + size], words[b : b + size], strict=True):
                starts.append(word.start - reference.start)
                ends.append(word.end - reference.end)
    errors = np.abs(np.array(starts + ends)) * 1000
    total = sum(len(clip.reference) for clip in clips)
    median, p90, p95 = np.percentile(errors, [50, 90, 95])
    return Accuracy(
        recall=len(starts) / total,
        boundaries=len(errors),
        median_ms=float(median),
        p90_ms=float(p90),
        p95_ms=float(p95),
        within_20=float((errors <= 20).mean()),
        start_bias_ms=float(np.median(starts) * 1000),
        end_bias_ms=float(np.median(ends) * 1000),
    )


def plain(word: str) -> str:
    """A word without case and punctuation."""
    return re.sub(r"[^\w']", "", word.lower().replace("’", "'"))


def show(report: dict[str, Any]) -> None:
    """Print the table."""
    columns = ("recall", "within_20", "boundaries", "median_ms", "p90_ms", "p95_ms", "start_bias_ms", "end_bias_ms")
    print(" " * 26, *(f"{column:>13}" for column in columns))
    for name, row in report.items():
        cells = (f"{row[c]:13.1%}" if c in ("recall", "within_20") else f"{row[c]:13.1f}" for c in columns)
        print(f"{name:26}", *cells)


def cost(aligner: Aligner, clips: list[Clip], seconds: int) -> dict[str, Any]:
    """The whole step on speech of one length, made of whole clips."""
    audio = np.zeros(0, np.float32)
    words: list[str] = []
    for clip in clips:
        if len(audio) + len(clip.audio) > seconds * SAMPLE_RATE:
            continue
        audio = np.concatenate([audio, clip.audio])
        words += [word.word for word in clip.attention]
    aligner.align(np.zeros(SAMPLE_RATE, np.float32), ["warm"], "en")
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        aligner.align(audio, words, "en")
        times.append((time.perf_counter() - start) * 1000)
    first, *rest = times
    median = statistics.median(rest)
    return {
        "seconds": round(len(audio) / SAMPLE_RATE, 1),
        "words": len(words),
        "first_ms": first,
        "median_ms": median,
        "min_ms": min(rest),
        "max_ms": max(rest),
        "x_real_time": len(audio) / SAMPLE_RATE / median * 1000,
    }


if __name__ == "__main__":
    main()
