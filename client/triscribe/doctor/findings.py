"""What an examination finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """The server starts, with less than was asked for or after fetching something."""
    FAILED = "failed"
    """The server does not start, or does not work."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes:
        check: platform, triton, shared_memory, disk, ports, libraries, devices, models, encode or onnx.
        subject: what of it, such as the name of a library or the number of a port.
        status: how it is.
        detail: what was seen.
        remedy: what to do about it; empty when it is well.
    """

    check: str
    subject: str
    status: Status
    detail: str
    remedy: str = ""


def well(check: str, subject: str, detail: str = "") -> Finding:
    """A finding of nothing wrong."""
    return Finding(check, subject, Status.OK, detail)


def failed(check: str, subject: str, detail: str, remedy: str) -> Finding:
    """A finding that keeps the server from working."""
    return Finding(check, subject, Status.FAILED, detail, remedy)


def warning(check: str, subject: str, detail: str, remedy: str) -> Finding:
    """A finding that the server can live with."""
    return Finding(check, subject, Status.WARNING, detail, remedy)


@dataclass(frozen=True)
class Report:
    """All findings of an examination."""

    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings are allowed."""
        return not self.failures

    @property
    def failures(self) -> list[Finding]:
        """What keeps the server from working."""
        return [finding for finding in self.findings if finding.status is Status.FAILED]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {"ok": self.ok, "findings": [asdict(finding) for finding in self.findings]}
