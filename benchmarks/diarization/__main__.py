"""Diarization figures: what each change buys, the process on a long file, whole jobs, and who said which word.

    python -m benchmarks.diarization variants [VARIANT...]       DER and time of each change, in the diarizer
    python -m benchmarks.diarization process --minutes 60         memory and time of the process on a long file
    python -m benchmarks.diarization job --minutes 10             text and speakers at once: wall time by CPU time
    python -m benchmarks.diarization words [--model base]         words with the right speaker, cpWER

Recordings: the folder `speakers` of TRISCRIBE_TEST_DATA (default: shared/data beside the repository), or `--data`. Its
manifest lists `audio`, `rttm`, `uem` and, for `words`, `words` (word, start, end, speaker) or `text_turns` (the same
with whole turns).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tests.harness.audio import wav
from tests.harness.paths import COMMAND, DATA, REPOSITORY

from benchmarks.diarization.words import words
from triscribe.diarization.client import Diarizer
from triscribe.diarization.options import Diarization
from triscribe.diarization.process import find_python
from triscribe.media.decoding import decode
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.types import SAMPLE_RATE

SPEAKERS = DATA / "speakers"

_PROGRAMS = (
    ("triscribe.diarizer", "diarizer"),
    ("/whisper-", "whisper"),
    ("/align", "align"),
    ("/transcribe/", "transcribe"),
    ("tritonserver", "Triton"),
)
"""What the command line of a process holds, and what we call it."""


def main() -> None:
    """Runs one of the four."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SPEAKERS)
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("variants").add_argument("names", nargs="*")
    modes.add_parser("process").add_argument("--minutes", type=float, default=60.0)
    modes.add_parser("job").add_argument("--minutes", type=float, default=10.0)
    modes.add_parser("words").add_argument("--model", help="words of this checkpoint instead of the reference's")
    arguments = parser.parse_args()
    recordings = json.loads((arguments.data / "manifest.json").read_text())
    if arguments.mode == "variants":
        variants(arguments.data, recordings, arguments.names)
    elif arguments.mode == "process":
        process(arguments.data, recordings, arguments.minutes)
    elif arguments.mode == "job":
        job(arguments.data, recordings, arguments.minutes)
    else:
        words(arguments.data, recordings, arguments.model)


def variants(data: Path, recordings: list[dict[str, Any]], names: list[str]) -> None:
    """A table of DER (no collar, overlap scored) and time; one process measures all, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for recording in recordings:
            samples = Path(folder) / f"{recording['audio']}.npy"
            np.save(samples, decode(data / recording["audio"]).samples)
            rttm = str(data / recording["rttm"])
            name = recording["audio"]
            meeting = Path(name).stem.rpartition("_")[2].rstrip("abcdef")  # AMI numbers a group's meetings a, b, ...
            jobs.append(
                {"name": name, "meeting": meeting, "samples": str(samples), "rttm": rttm, "uem": recording["uem"]}
            )
        job_file, result_file = Path(folder) / "jobs.json", Path(folder) / "result.json"
        job_file.write_text(json.dumps(jobs))
        subprocess.run(
            [str(find_python()), str(REPOSITORY / "benchmarks/diarization/variants.py"), job_file, result_file, *names],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "client")},
            check=True,
        )
        rows = json.loads(result_file.read_text())
    print("| variant | DER % | wall, x real time | CPU, x real time |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['variant']} | {row['der']:.2f} | {row['real_time']:.3f} | {row['cpu']:.3f} |")
    for row in rows:
        if "joined" in row:
            print(f"Excerpts of one meeting joined, {row['variant']}: {row['joined']:.2f} % DER")


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


def job(data: Path, recordings: list[dict[str, Any]], minutes: float) -> None:
    """The command from its start to its end, Triton's and the diarizer's starts included, beside its CPU time."""
    joined = np.concatenate([decode(data / recording["audio"]).samples for recording in recordings])
    samples = np.resize(joined, int(minutes * 60 * SAMPLE_RATE))
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "talk.wav"
        file.write_bytes(wav(samples))
        print(_described("text alone", *_used(["--no-diarize", str(file)]), cores))
        print(_described("text and speakers", *_used(["--diarize", str(file)]), cores))
        with EmbeddedTriton(ServeOptions()) as triton:
            parent = psutil.Process()  # of Triton, whose earlier CPU time does not count
            used = _used(["--diarize", "--server", triton.url, str(file)], parent)
            print(_described("the same, Triton running", *used, cores))


def _described(name: str, wall: float, used: dict[str, float], cores: int) -> str:
    cpu = sum(used.values())
    parts = ", ".join(f"{part} {seconds:.1f}" for part, seconds in sorted(used.items()) if seconds >= 0.5)
    return f"{name}: {wall:.1f} s wall, {cpu:.1f} s CPU ({parts}), wall / (CPU / {cores}) = {wall / (cpu / cores):.2f}"


def _used(arguments: list[str], server: psutil.Process | None = None) -> tuple[float, dict[str, float]]:
    """Wall and CPU seconds of the command, the latter by the programs below it (or `server`), as seen every 50 ms."""
    before = _cpu(server.children(recursive=True)) if server else {}
    seen = dict(before)
    started = time.perf_counter()
    command = [COMMAND, "transcribe", *arguments]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            seen |= _cpu((server or process).children(recursive=True)) | _cpu([process])
        time.sleep(0.05)
    wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{command} failed")
    used: dict[str, float] = {}
    for pid, (name, seconds) in seen.items():
        used[name] = used.get(name, 0.0) + seconds - before.get(pid, ("", 0.0))[1]
    return wall, used


def _cpu(processes: list[psutil.Process]) -> dict[int, tuple[str, float]]:
    """Program and CPU seconds of each."""
    found = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found[process.pid] = _program(process.cmdline()), float(sum(process.cpu_times()[:2]))
    return found


def _program(command: list[str]) -> str:
    line = " ".join(command)
    for sign, name in _PROGRAMS:
        if sign in line:
            return name
    return "client"


if __name__ == "__main__":
    main()
