"""What the targets of `fuzz.py` share."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


class Finding(Exception):  # noqa: N818 - what a fuzzer looks for is no error of its own
    """Something that must not happen."""


@dataclass
class Target:
    """One door under fire.

    Attributes:
        outcomes: how often each kind of answer came.
        findings: what must not happen and did.
        notes: figures for the table.
    """

    name: str
    seconds: float
    rng: random.Random
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    took_s: float = 0.0

    def rounds(self) -> Iterator[int]:
        """Cases until the time is over; stops after ten findings, which say enough."""
        deadline = time.monotonic() + self.seconds
        while time.monotonic() < deadline and len(self.findings) < 10:
            yield self.cases
            self.cases += 1

    def found(self, what: str) -> None:
        """Note what must not happen."""
        self.findings.append(what)
