"""Diarization figures: what each change buys, the process under load, and who said which word.

    python benchmarks/diarization.py variants [VARIANT...]       DER and time of each change, in the diarizer
    python benchmarks/diarization.py process --minutes 60         memory and time of the process on a long file
    python benchmarks/diarization.py words [--transcripts DIR]    words with the right speaker, cpWER

Recordings: the folder `speakers` of TRISCRIBE_TEST_DATA (default: shared/data beside the repository), or `--data`. Its
manifest lists `audio`, `rttm`, `uem` and, for `words`, `words` (word, start, end, speaker).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import jiwer
import meeteval
import numpy as np
import psutil
from scipy.optimize import linear_sum_assignment
from whisper_normalizer.english import EnglishTextNormalizer

from triscribe.audio import decode
from triscribe.diarization import Diarization, Diarizer
from triscribe.diarization_process import find_python
from triscribe.speakers import assign
from triscribe.types import SAMPLE_RATE, Segment, Word

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TRISCRIBE_TEST_DATA", ROOT.parent / "shared/data")) / "speakers"

Spoken = tuple[str, str | None]
"""A normalised word and its speaker."""


def main() -> None:
    """Runs one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("variants").add_argument("names", nargs="*")
    modes.add_parser("process").add_argument("--minutes", type=float, default=60.0)
    modes.add_parser("words").add_argument("--transcripts", type=Path, help="STEM.json for each recording")
    arguments = parser.parse_args()
    recordings = json.loads((arguments.data / "manifest.json").read_text())
    if arguments.mode == "variants":
        variants(arguments.data, recordings, arguments.names)
    elif arguments.mode == "process":
        process(arguments.data, recordings, arguments.minutes)
    else:
        words(arguments.data, recordings, arguments.transcripts)


def variants(data: Path, recordings: list[dict[str, Any]], names: list[str]) -> None:
    """A table of DER (no collar, overlap scored) and time; one process measures all, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for recording in recordings:
            samples = Path(folder) / f"{recording['audio']}.npy"
            np.save(samples, decode(data / recording["audio"]).samples)
            rttm = str(data / recording["rttm"])
            jobs.append({"name": recording["audio"], "samples": str(samples), "rttm": rttm, "uem": recording["uem"]})
        job_file, result_file = Path(folder) / "jobs.json", Path(folder) / "result.json"
        job_file.write_text(json.dumps(jobs))
        subprocess.run(
            [str(find_python()), str(ROOT / "benchmarks/diarization_variants.py"), job_file, result_file, *names],
            env=os.environ | {"PYTHONPATH": str(ROOT / "client")},
            check=True,
        )
        rows = json.loads(result_file.read_text())
    print("| variant | DER % | wall, x real time | CPU, x real time |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['variant']} | {row['der']:.2f} | {row['real_time']:.3f} | {row['cpu']:.3f} |")


def process(data: Path, recordings: list[dict[str, Any]], minutes: float) -> None:
    """Peak memory and time of the diarizer process on recordings joined and repeated to a length."""
    joined = np.concatenate([decode(data / recording["audio"]).samples for recording in recordings])
    samples = np.resize(joined, int(minutes * 60 * SAMPLE_RATE))
    started = time.perf_counter()
    with Diarizer() as diarizer:
        diarizer.diarize_sync(joined[: 10 * SAMPLE_RATE])
        ready = time.perf_counter() - started
        child = psutil.Process(diarizer.pid)
        before, cpu = child.memory_info().rss, sum(child.cpu_times()[:2])
        started = time.perf_counter()
        result, peak = asyncio.run(_watched(diarizer, samples, child))
        wall, cpu = time.perf_counter() - started, sum(child.cpu_times()[:2]) - cpu
    print(f"start, load and 10 s: {ready:.1f} s; resident then: {before / 1e6:.0f} MB")
    print(f"{minutes:g} min: {wall:.1f} s wall, {cpu:.1f} s CPU, {wall / minutes:.2f} s a minute of audio")
    print(f"peak: {peak / 1e6:.0f} MB, of it {samples.nbytes / 1e6:.0f} MB audio; {len(result.speakers)} speakers")


async def _watched(diarizer: Diarizer, samples: np.ndarray, child: psutil.Process) -> tuple[Diarization, int]:
    job = asyncio.create_task(diarizer.diarize(samples))
    peak = 0
    while not job.done():
        peak = max(peak, child.memory_info().rss)
        await asyncio.wait({job}, timeout=0.2)
    return await job, peak


def words(data: Path, recordings: list[dict[str, Any]], transcripts: Path | None) -> None:
    """Word speaker error and cpWER of each recording whose manifest has words, and over all.

    Without transcripts the reference's own words and times are given to our turns: the error of diarization and
    assignment alone, with nothing of the recogniser's in it.
    """
    normalise = EnglishTextNormalizer()
    totals: Counter[str] = Counter()
    print(
        "| recording | words | wrong speaker | no speaker | word speaker error % | cpWER % |\n|---|---|---|---|---|---|"
    )
    with Diarizer() as diarizer:
        for recording in recordings:
            if "words" not in recording:
                continue
            reference = _spoken(recording["words"], normalise)
            if transcripts:
                found = json.loads((transcripts / f"{Path(recording['audio']).stem}.json").read_text())
                heard = [word for segment in found["segments"] for word in segment["words"]]
            else:
                heard = _assigned(recording["words"], diarizer.diarize_sync(decode(data / recording["audio"]).samples))
            counts = score(reference, _spoken(heard, normalise))
            totals.update(counts)
            _print_row(Path(recording["audio"]).stem, counts)
    _print_row("all", totals)


def score(reference: list[Spoken], heard: list[Spoken]) -> Counter[str]:
    """Counts of one recording.

    The word speaker error is the share of recognised words (those that align with an equal or substituted word of
    the reference) that carry another speaker, or none, under the mapping of labels that makes it smallest.
    """
    aligned = _align(reference, heard)
    names = sorted({speaker or "" for speaker, _ in aligned})
    labels = sorted({label for _, label in aligned if label is not None})
    agreement = np.zeros((len(names), len(labels)), int)
    for speaker, label in aligned:
        if label is not None:
            agreement[names.index(speaker or ""), labels.index(label)] += 1
    right = int(agreement[linear_sum_assignment(agreement, maximize=True)].sum())
    nobody = sum(label is None for _, label in aligned)
    cp = meeteval.wer.cpwer(
        reference=_seglst(reference), hypothesis=_seglst(heard), reference_sort=False, hypothesis_sort=False
    )["recording"]
    return Counter(
        words=len(aligned),
        wrong=len(aligned) - right - nobody,
        nobody=nobody,
        cp_errors=cp.errors,
        cp_length=cp.length,
    )


def _align(reference: list[Spoken], heard: list[Spoken]) -> list[tuple[str | None, str | None]]:
    texts = [" ".join(word for word, _ in spoken) for spoken in (reference, heard)]
    pairs = []
    for chunk in jiwer.process_words(*texts).alignments[0]:
        if chunk.type in {"equal", "substitute"}:
            for i in range(chunk.ref_end_idx - chunk.ref_start_idx):
                speaker = reference[chunk.ref_start_idx + i][1]
                pairs.append((speaker, heard[chunk.hyp_start_idx + i][1]))
    return pairs


def _spoken(items: list[dict[str, Any]], normalise: EnglishTextNormalizer) -> list[Spoken]:
    return [
        (text, item["speaker"])
        for item in sorted(items, key=lambda item: item["start"])
        for text in normalise(item["word"]).split()
    ]


def _assigned(items: list[dict[str, Any]], diarization: Diarization) -> list[dict[str, Any]]:
    segments = tuple(
        Segment(
            start=item["start"],
            end=item["end"],
            text=item["word"],
            language="en",
            avg_logprob=0.0,
            no_speech_prob=0.0,
            compression_ratio=1.0,
            temperature=0.0,
            words=(Word(item["word"], item["start"], item["end"], 1.0, "aligned"),),
        )
        for item in items
    )
    return [{"word": s.text, "start": s.start, "speaker": s.speaker} for s in assign(segments, diarization)]


def _seglst(spoken: list[Spoken]) -> meeteval.io.SegLST:
    by_speaker: dict[str, list[str]] = {}
    for word, speaker in spoken:
        by_speaker.setdefault(speaker or "nobody", []).append(word)
    return meeteval.io.SegLST(
        [{"session_id": "recording", "speaker": name, "words": " ".join(said)} for name, said in by_speaker.items()]
    )


def _print_row(name: str, counts: Counter[str]) -> None:
    speaker_error = 100 * (counts["wrong"] + counts["nobody"]) / max(1, counts["words"])
    cpwer = 100 * counts["cp_errors"] / max(1, counts["cp_length"])
    figures = f"{counts['words']} | {counts['wrong']} | {counts['nobody']} | {speaker_error:.1f} | {cpwer:.1f}"
    print(f"| {name} | {figures} |")


if __name__ == "__main__":
    main()
