"""The server's certificates, read again when the files change."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import grpc

from triscribe.errors import ServingError
from triscribe.service.settings import GatewaySettings

logger = logging.getLogger(__name__)


def server_credentials(settings: GatewaySettings) -> Any:
    """TLS, or mTLS where an authority for callers is set; None for plaintext.

    Raises:
        ServingError: a file cannot be read.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    source = _Certificates(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    return grpc.dynamic_ssl_server_credentials(
        source.load(), source.if_changed, require_client_authentication=settings.tls_client_ca is not None
    )


def client_credentials(ca: Path | None, cert: Path | None, key: Path | None) -> Any:
    """What this side shows as a client, and whom it trusts; None for plaintext. Read once.

    Raises:
        ServingError: a file cannot be read.
    """
    if ca is None:
        return None
    try:
        authority, private, chain = (file.read_bytes() if file else None for file in (ca, key, cert))
    except OSError as error:
        raise ServingError(f"{error.filename} cannot be read: {error.strerror}.") from error
    return grpc.ssl_channel_credentials(authority, private, chain)


class _Certificates:
    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        self._files = [cert, key] + ([client_ca] if client_ca else [])
        self._loaded: list[bytes] = []

    def load(self) -> Any:
        try:
            self._loaded = [file.read_bytes() for file in self._files]
        except OSError as error:
            raise ServingError(f"{error.filename} cannot be read: {error.strerror}.") from error
        cert, key, *authority = self._loaded
        return grpc.ssl_server_certificate_configuration(
            [(key, cert)], root_certificates=authority[0] if authority else None
        )

    def if_changed(self) -> Any:
        """Called by gRPC for every new connection; None keeps what is in use."""
        try:
            if [file.read_bytes() for file in self._files] == self._loaded:
                return None
            logger.info("certificates_reloaded")
            return self.load()
        except (OSError, ServingError):
            logger.exception("certificates_unreadable")
            return None
