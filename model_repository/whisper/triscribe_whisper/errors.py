"""The one error of this package."""

from __future__ import annotations


class WhisperError(Exception):
    """A request that cannot be answered; becomes the `error` of the envelope.

    Attributes:
        code: gRPC code name.
        field: the input that was wrong, where one was.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
