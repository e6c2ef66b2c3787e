"""The server's certificates, read again when the files change."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import grpc

from triscribe.errors import ServingError
from triscribe.service.settings import GatewaySettings

logger = logging.getLogger(__name__)

T = TypeVar("T")


def server_credentials(settings: GatewaySettings) -> Any:
    """Of the gRPC door: TLS, or mTLS where an authority for callers is set; None for plaintext.

    Raises:
        ServingError: a file cannot be read.
    """
    source = _source(settings, _grpc_configuration)
    if source is None:
        return None
    renew: Any = source.if_changed  # None is an answer, too; the stubs do not say so
    return grpc.dynamic_ssl_server_credentials(
        source.load(), renew, require_client_authentication=settings.tls_client_ca is not None
    )


def server_context(settings: GatewaySettings) -> ssl.SSLContext | None:
    """The same for the HTTP door.

    Raises:
        ServingError: a file cannot be read, or holds no certificate or key.
    """
    source = _source(settings, lambda _: _context(settings))
    if source is None:
        return None
    context = current = source.load()

    def renew(connection: ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> None:
        nonlocal current
        current = source.if_changed() or current
        connection.context = current

    context.sni_callback = renew  # called in every handshake, whether it names a server or not
    return context


def _context(settings: GatewaySettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(str(settings.tls_cert), settings.tls_key)
        if settings.tls_client_ca:
            context.load_verify_locations(settings.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
            context.num_tickets = 0  # a session that goes on would not be asked for its certificate again
    except ssl.SSLError as error:
        raise ServingError(f"{settings.tls_cert}, its key or its authority is wrong: {error.reason}.") from error
    return context


def _grpc_configuration(contents: Sequence[bytes]) -> Any:
    cert, key, *authority = contents
    return grpc.ssl_server_certificate_configuration(
        [(key, cert)], root_certificates=authority[0] if authority else None
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


class _Certificates(Generic[T]):
    def __init__(self, files: Sequence[Path], make: Callable[[Sequence[bytes]], T]) -> None:
        self._files = files
        self._make = make
        self._loaded: list[bytes] = []

    def load(self) -> T:
        try:
            self._loaded = [file.read_bytes() for file in self._files]
        except OSError as error:
            raise ServingError(f"{error.filename} cannot be read: {error.strerror}.") from error
        return self._make(self._loaded)

    def if_changed(self) -> T | None:
        """Called for every new connection; None keeps what is in use."""
        try:
            if [file.read_bytes() for file in self._files] == self._loaded:
                return None
            logger.info("certificates_reloaded")
            return self.load()
        except (OSError, ServingError):
            logger.exception("certificates_unreadable")
            return None


def _source(settings: GatewaySettings, make: Callable[[Sequence[bytes]], T]) -> _Certificates[T] | None:
    files = (settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    if files[0] is None:
        return None
    return _Certificates([file for file in files if file], make)
