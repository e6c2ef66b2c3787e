"""What `service.refusals` decides, as gRPC statuses with google.rpc details."""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from triscribe.errors import InvalidArgumentError, ServerError, UnavailableError

DOMAIN = "triscribe"
"""Of google.rpc.ErrorInfo."""

RETRY_S = 2.0
"""When to come back after UNAVAILABLE where nobody said: about the time in which a gateway notices a recovery."""

_MAX_MESSAGE = 1000
"""Characters of a message: statuses travel in HTTP/2 headers, of which peers take 8 KiB."""


def rich_status(error: ServerError, request_id: str) -> status_pb2.Status:
    """The status, with BadRequest, RetryInfo, ErrorInfo and RequestInfo where they apply."""
    message = str(error)[:_MAX_MESSAGE]
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN),
        error_details_pb2.RequestInfo(request_id=request_id),
    ]
    if isinstance(error, InvalidArgumentError) and error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    retry_s = error.retry_after_s
    if retry_s is None and isinstance(error, UnavailableError):
        retry_s = RETRY_S
    if retry_s is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(retry_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return status_pb2.Status(
        code=code_pb2.Code.Value(error.code), message=message, details=[_packed(detail) for detail in details]
    )


def _packed(detail: Message) -> Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
