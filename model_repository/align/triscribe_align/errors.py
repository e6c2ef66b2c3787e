"""The one exception that leaves this package."""

from __future__ import annotations


class AlignError(Exception):
    """Why a chunk cannot be aligned.

    Attributes:
        code: gRPC code name, such as "INVALID_ARGUMENT".
        field: the input that was wrong, where one was.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
