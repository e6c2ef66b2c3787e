"""The one error of this package."""

from __future__ import annotations

from typing import Any


class PipelineError(Exception):
    """A request that cannot be answered; becomes the `error` of the envelope.

    Attributes:
        code: gRPC code name.
        field: the input that was wrong, where one was.
        retry_after_s: when to come back, in seconds, for RESOURCE_EXHAUSTED.
    """

    def __init__(self, code: str, message: str, field: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.retry_after_s = retry_after_s

    def envelope(self) -> dict[str, Any]:
        """The RESULT that tells the caller."""
        return {
            "error": {
                "code": self.code,
                "field": self.field,
                "message": str(self),
                "retry_after_s": self.retry_after_s,
            }
        }
