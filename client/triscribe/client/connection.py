"""How a gateway is reached, and its errors as ours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from triscribe.errors import SERVER_ERRORS, AudioError, InternalError, ServerError

PIECE_BYTES = 1 << 20
"""Of a file in one message."""

_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True)
class Connection:
    """How a gateway is reached.

    Attributes:
        address: HOST:PORT.
        token: bearer token, if the gateway asks for one.
        credentials: see `tls_credentials`; None talks plaintext.
        max_message_bytes: largest answer that is taken.
    """

    address: str
    token: str | None = field(default=None, repr=False)
    credentials: grpc.ChannelCredentials | None = field(default=None, repr=False)
    max_message_bytes: int = 64 * 2**20

    @property
    def options(self) -> list[tuple[str, int]]:
        """Channel options: also notice a gateway that vanished without a word."""
        return [
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        ]

    def metadata(self, request_id: str | None) -> list[tuple[str, str]]:
        """What goes with every call."""
        token = [("authorization", f"Bearer {self.token}")] if self.token else []
        return token + ([("x-request-id", request_id)] if request_id else [])


def tls_credentials(
    *, authority: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> grpc.ChannelCredentials:
    """TLS, or mTLS with a certificate and its key; all PEM files. Without an authority, the public ones."""
    return grpc.ssl_channel_credentials(
        *(path.read_bytes() if path else None for path in (authority, key, certificate))
    )


@contextmanager
def our_errors() -> Iterator[None]:
    """Raise ServerError where gRPC would raise its own."""
    try:
        yield
    except grpc.RpcError as error:
        raise map_error(error) from error


def map_error(error: Any) -> ServerError:
    """Our error for a call's status, with the field and the wait of its details."""
    details = dict(error.trailing_metadata() or ()).get(_DETAILS)
    status = status_pb2.Status.FromString(details) if details else status_pb2.Status()
    request = _detail(status, error_details_pb2.BadRequest())
    retry = _detail(status, error_details_pb2.RetryInfo())
    kind = SERVER_ERRORS.get(error.code().name, InternalError)
    return kind(
        error.details() or error.code().name,
        field=request.field_violations[0].field if request and request.field_violations else None,
        retry_after_s=retry.retry_delay.ToMilliseconds() / 1000 if retry else None,
    )


def _detail(status: Any, wanted: Message) -> Any:
    return next((wanted for packed in status.details if packed.Unpack(wanted)), None)


@contextmanager
def open_audio(source: str | Path | bytes | BinaryIO) -> Iterator[tuple[BinaryIO, str]]:
    """The source as a stream, and what it is called.

    Raises:
        AudioError: the file cannot be opened.
    """
    with ExitStack() as stack:
        if isinstance(source, bytes):
            yield io.BytesIO(source), "-"
        elif isinstance(source, str | Path):
            try:
                file = stack.enter_context(Path(source).open("rb"))
            except OSError as error:
                raise AudioError(f"{source} cannot be opened: {error.strerror}") from error
            yield file, str(source)
        else:
            yield source, "-"
