"""What `service.refusals` decides, as OpenAI's error bodies with status and headers."""

from __future__ import annotations

import math
from typing import Any

from starlette.responses import JSONResponse

from triscribe.errors import (
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    ServerError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)

RETRY_S = 2.0
"""When to come back after 503 where nobody said: about the time in which a gateway notices a recovery."""

_MAX_MESSAGE = 1000


class UnsupportedMediaTypeError(InvalidArgumentError):
    """The body is not what the route reads."""


class StalledError(DeadlineExceededError):
    """The caller sent nothing for too long."""


class ForbiddenOriginError(InvalidArgumentError):
    """The page that calls is not named in the settings."""


_ANSWERS: tuple[tuple[type[ServerError], int, str, str], ...] = (
    (ForbiddenOriginError, 403, "permission_error", "origin_not_allowed"),
    (UnsupportedMediaTypeError, 415, "invalid_request_error", "unsupported_media_type"),
    (StalledError, 408, "timeout_error", "request_timeout"),
    (InvalidArgumentError, 400, "invalid_request_error", "invalid_value"),
    (UnauthenticatedError, 401, "authentication_error", "invalid_api_key"),
    (NotFoundError, 404, "invalid_request_error", "model_not_found"),
    (TooLargeError, 413, "invalid_request_error", "file_too_large"),
    (FailedPreconditionError, 422, "invalid_request_error", "unsupported"),
    (ResourceExhaustedError, 429, "rate_limit_error", "rate_limit_exceeded"),
    (UnavailableError, 503, "server_error", "unavailable"),
    (DeadlineExceededError, 504, "timeout_error", "timeout"),
    (InternalError, 500, "server_error", "internal_error"),
)
"""Class, status, type and code; the first that fits."""

_RETRIED = (408, 429, 503, 504)
"""The same call may succeed later. After 500 the callers decide."""

_PARAMS = {
    "audio": "file",
    "initial_prompt": "prompt",
    "hotwords": "keywords",
    "diarization": "response_format",
    "known_speakers": "known_speaker_references",
    "voice": "chunking_strategy",
    "voice_detection": "vad_filter",
    "decoding.temperature": "temperature",
    "decoding.beam_size": "beam_size",
}
"""Names that refusals use inside, where the form has others."""


def body(error: ServerError) -> dict[str, Any]:
    """The object that the SDKs read."""
    _, kind, code = _answer(error)
    param = _PARAMS.get(error.field or "", error.field)
    return {"error": {"message": str(error)[:_MAX_MESSAGE], "type": kind, "param": param, "code": code}}


def status(error: ServerError) -> int:
    """The HTTP status."""
    return _answer(error)[0]


def headers(error: ServerError) -> dict[str, str]:
    """When, and whether, to come back."""
    number = status(error)
    chosen: dict[str, str] = {}
    if number == 401:
        chosen["www-authenticate"] = "Bearer"
    if number < 500 or number in _RETRIED:
        chosen["x-should-retry"] = "true" if number in _RETRIED else "false"
    wait_s = error.retry_after_s
    if wait_s is None and isinstance(error, UnavailableError):
        wait_s = RETRY_S
    if wait_s is not None:
        chosen["retry-after"] = str(math.ceil(wait_s))
        chosen["retry-after-ms"] = str(round(wait_s * 1000))
    return chosen


def response(error: ServerError) -> JSONResponse:
    """The whole answer."""
    return JSONResponse(body(error), status(error), headers(error))


def _answer(error: ServerError) -> tuple[int, str, str]:
    for kind, number, name, code in _ANSWERS:
        if isinstance(error, kind):
            return number, name, code
    return 500, "server_error", "internal_error"
