"""The exception tree. Foreign errors are mapped to these where the foreign library is called.

TriscribeError
├── AudioError              the media cannot be decoded or holds no audio
│   └── AudioTooLongError   it is longer than the caller allowed
├── UsageError              the caller asked for something that contradicts itself
│   └── MissingPackageError an extra is not installed; an ImportError, too
├── ModelError              weights: unknown, not cached, corrupt, licence not accepted, fetch failed
├── ServingError            the embedded Triton cannot be started or kept alive
├── DiarizationError        the diarizer cannot be started, died twice or refused the audio
├── StorageError            a disk of this machine is full
└── ServerError             the server answered with an error; `code` is the gRPC code name
    ├── InvalidArgumentError, NotFoundError, FailedPreconditionError    do not retry
    ├── UnauthenticatedError                                           the same; only the gateway asks for tokens
    ├── TooLargeError                                                  the same: it will be too large again
    ├── ResourceExhaustedError, UnavailableError                       retried with backoff
    └── DeadlineExceededError, CancelledError, InternalError
"""

from __future__ import annotations

from typing import ClassVar


class TriscribeError(Exception):
    """Base of everything Triscribe raises on purpose; its text is one sentence for a person."""


class AudioError(TriscribeError):
    """The media cannot be decoded, or holds no audio."""


class AudioTooLongError(AudioError):
    """The audio is longer than the caller allowed."""


class UsageError(TriscribeError):
    """The caller asked for something that contradicts itself."""


class MissingPackageError(UsageError, ImportError):
    """An optional part of Triscribe is used, and the extra that brings its packages is not installed."""


class ModelError(TriscribeError):
    """Weights are unknown, missing, corrupt, not licensed for this use, or could not be fetched."""


class ServingError(TriscribeError):
    """The embedded Triton cannot be started or kept alive."""


class DiarizationError(TriscribeError):
    """The diarizer cannot be started, died twice, or refused the audio."""


class StorageError(TriscribeError):
    """A disk of this machine is full: nothing is wrong with what was asked."""


class ServerError(TriscribeError):
    """The server answered with an error.

    Attributes:
        code: gRPC code name, such as "INVALID_ARGUMENT".
        field: the input that was wrong, where one was, by a name that belongs to no door: "language", "audio",
            "decoding.temperature". Each door says it in the words of its own protocol.
        retry_after_s: how long the server asks callers to wait, in seconds.
    """

    code: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str, *, field: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.retry_after_s = retry_after_s


class InvalidArgumentError(ServerError):
    """The request is wrong whatever the server's state."""

    code = "INVALID_ARGUMENT"


class NotFoundError(ServerError):
    """No such model."""

    code = "NOT_FOUND"


class FailedPreconditionError(ServerError):
    """The model lacks a feature that the request needs."""

    code = "FAILED_PRECONDITION"


class UnauthenticatedError(ServerError):
    """The token is missing or wrong."""

    code = "UNAUTHENTICATED"


class ResourceExhaustedError(ServerError):
    """The server is busy: its queue, or a number of calls, is full for now."""

    code = "RESOURCE_EXHAUSTED"


class TooLargeError(ServerError):
    """The request is larger or longer than the server takes; the same again is refused again."""

    code = "RESOURCE_EXHAUSTED"


class UnavailableError(ServerError):
    """The server is loading, restarting or unreachable."""

    code = "UNAVAILABLE"


class ShuttingDownError(UnavailableError):
    """The server ends; another one, or the next one, can be asked at once."""


class DeadlineExceededError(ServerError):
    """No answer in time."""

    code = "DEADLINE_EXCEEDED"


class CancelledError(ServerError):
    """The caller went away."""

    code = "CANCELLED"


class InternalError(ServerError):
    """A fault of the server."""

    code = "INTERNAL"


SERVER_ERRORS: dict[str, type[ServerError]] = {
    error.code: error
    for error in (
        InvalidArgumentError,
        NotFoundError,
        FailedPreconditionError,
        UnauthenticatedError,
        ResourceExhaustedError,
        UnavailableError,
        DeadlineExceededError,
        CancelledError,
        InternalError,
    )
}
"""The class for each code. RESOURCE_EXHAUSTED is the one that can be tried again: gRPC has one code for both."""
