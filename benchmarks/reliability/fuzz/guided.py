"""Coverage-guided input (atheris, libFuzzer) for every text that Python code of ours takes apart.

Each door is a process of its own: libFuzzer ends its process, and counts the branches of what that process imports.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile

from benchmarks.reliability.fuzz.base import Finding, Target

CHILD = "benchmarks.reliability.fuzz.doors"


def is_available() -> bool:
    """Whether atheris has a wheel for this machine."""
    return importlib.util.find_spec("atheris") is not None


def guided(target: Target) -> None:
    """Every door for `seconds`, after the bait was found; the edges are those of our own Python code."""
    if "the bait" not in _fired("bait", 20.0, target).stdout:
        raise Finding("the bait was not found: nothing guides this")
    listed = subprocess.run([sys.executable, "-m", CHILD], capture_output=True, text=True, timeout=60, check=True)
    for door in listed.stdout.splitlines():
        fire(door, target, target.seconds)


def fire(door: str, target: Target, seconds: float) -> None:
    """One door for so long."""
    ended = _fired(door, seconds, target)
    cases = re.search(r"number_of_executed_units: (\d+)", ended.stdout)
    edges = re.findall(r"cov: (\d+)", ended.stdout)
    if ended.returncode or not cases or not edges:
        target.found(f"{door}: {_told(ended.stdout)}")
        return
    target.cases += int(cases[1])
    target.outcomes[door] += int(cases[1])
    target.notes.append(f"{door} {edges[-1]} edges")


def _fired(door: str, seconds: float, target: Target) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="triscribe-fuzz-") as folder:
        command = [sys.executable, "-m", CHILD, door, str(seconds), str(target.rng.getrandbits(31)), folder]
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=60 + 3 * seconds,
            check=False,
        )


def _told(log: str) -> str:
    """The exception, and the input that led to it."""
    lines = log.splitlines()
    start = next((n for n, line in enumerate(lines) if "Uncaught Python exception" in line), max(0, len(lines) - 8))
    return " | ".join(line for line in lines[start : start + 12] if line.strip())[:600]
