"""Triscribe: speech to text with a time for every word, served by Triton over gRPC.

Public are the names in `__all__` of this package, of `triscribe.client`, the client of the gateway, and of
`triscribe.formats`, the writers. Every other module is private: it may change, move or go with any version.

Importing this package loads nothing else: each name is loaded when it is asked for. All but the errors, the transcript
and its parts need the extra `local`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from triscribe.errors import (
    AudioError,
    AudioTooLongError,
    CancelledError,
    DeadlineExceededError,
    DiarizationError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    MissingPackageError,
    ModelError,
    NotFoundError,
    ResourceExhaustedError,
    ServerError,
    ServingError,
    ShuttingDownError,
    StorageError,
    TooLargeError,
    TriscribeError,
    UnauthenticatedError,
    UnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    from triscribe.library import transcribe
    from triscribe.serving import EmbeddedTriton, ServeOptions
    from triscribe.transcription.options import TranscribeOptions
    from triscribe.transcription.transcriber import Transcriber
    from triscribe.types import Segment, Transcript, Word

__all__ = [
    "AudioError",
    "AudioTooLongError",
    "CancelledError",
    "DeadlineExceededError",
    "DiarizationError",
    "EmbeddedTriton",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "MissingPackageError",
    "ModelError",
    "NotFoundError",
    "ResourceExhaustedError",
    "Segment",
    "ServeOptions",
    "ServerError",
    "ServingError",
    "ShuttingDownError",
    "StorageError",
    "TooLargeError",
    "TranscribeOptions",
    "Transcriber",
    "Transcript",
    "TriscribeError",
    "UnauthenticatedError",
    "UnavailableError",
    "UsageError",
    "Word",
    "transcribe",
]

_LAZY = {
    "EmbeddedTriton": "triscribe.serving",
    "Segment": "triscribe.types",
    "ServeOptions": "triscribe.serving",
    "TranscribeOptions": "triscribe.transcription.options",
    "Transcriber": "triscribe.transcription.transcriber",
    "Transcript": "triscribe.types",
    "Word": "triscribe.types",
    "transcribe": "triscribe.library",
}
"""Where each name is that is not loaded with the package: the diarizer's environment, for one, lacks what they need."""

if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> object:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from triscribe.extras import needs  # noqa: PLC0415 - seldom needed

        with needs("local", f"triscribe.{name}"):
            return getattr(import_module(_LAZY[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
