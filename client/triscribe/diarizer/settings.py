"""Settings of the diarizer process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_MAX_HOURS = 12.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How pipelines are loaded and run.

    Attributes:
        threads: cores to use; 0 takes all that this process may use.
        device: "cpu", "cuda" or "cuda:N"; "auto" takes a GPU where there is one.
        local: pipeline name → folder with a local copy.
        allow_unverified: open checkpoints that the manifest does not know.
        background: leave the cores to others who want them.
    """

    threads: int = 0
    device: str = "auto"
    local: Mapping[str, Path] = field(default_factory=dict)
    allow_unverified: bool = False
    background: bool = False


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: certificate chain, its key, and the authority whose certificates callers must show."""

    cert: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the process is reached.

    Attributes:
        address: gRPC address to listen on: `unix:PATH` or `HOST:PORT`.
        token: callers must send it; None where TLS client certificates or a mesh do that work.
        tls: None serves plaintext.
        max_duration_s: longest recording taken, in seconds.
    """

    address: str
    token: str | None = None
    tls: TlsFiles | None = None
    max_duration_s: float = DEFAULT_MAX_HOURS * 3600
