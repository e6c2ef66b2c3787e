"""TLS on Triton's gRPC port."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MutualTls:
    """PEM files of the gRPC port: certificate chain, its key, and the authority whose certificates callers must show.

    There is no TLS without client certificates: it would let everybody in, since Triton has no authentication. The
    supervisor calls with the same certificate, so it has to be good for both roles and for the name `localhost`.
    """

    cert: Path
    key: Path
    client_ca: Path

    def arguments(self) -> list[str]:
        """The part of Triton's command line. HTTP is switched off: it knows no client certificates."""
        return [
            "--grpc-use-ssl-mutual=true",
            f"--grpc-server-cert={self.cert}",
            f"--grpc-server-key={self.key}",
            f"--grpc-root-cert={self.client_ca}",
            "--allow-http=false",
        ]
