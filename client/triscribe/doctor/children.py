"""Work done in processes of their own, so that a crash, a hang or a missing library is an answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TAIL_LINES = 3


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Attributes:
        lines: its standard output.
        fault: why it is not well: a signal, a timeout, or the end of its standard error; None for status 0.
    """

    lines: tuple[str, ...]
    fault: str | None

    @property
    def answer(self) -> dict[str, Any]:
        """Its last line as JSON; empty when it printed none."""
        try:
            found = json.loads(self.lines[-1]) if self.lines else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None, timeout_s: float) -> Outcome:
    """Run a program to its end, or kill it after `timeout_s`."""
    try:
        child = subprocess.run(
            list(command),
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome((), f"no answer within {timeout_s:.0f} s")
    except OSError as error:
        return Outcome((), str(error))
    lines = tuple(child.stdout.splitlines())
    if child.returncode == 0:
        return Outcome(lines, None)
    if child.returncode < 0:
        return Outcome(lines, f"it was ended by {signal.Signals(-child.returncode).name}")
    said = [line for line in child.stderr.splitlines() if line.strip()]
    return Outcome(lines, "; ".join(said[-_TAIL_LINES:]) or f"it ended with status {child.returncode}")


def run_python(
    arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, timeout_s: float = 180.0
) -> Outcome:
    """Run this interpreter."""
    return run([sys.executable, "-P", *arguments], environment=environment, timeout_s=timeout_s)
