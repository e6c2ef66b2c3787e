"""The answer to a caller whose call failed, whatever door it came through."""

from __future__ import annotations

import errno

from triscribe.errors import (
    AudioError,
    AudioTooLongError,
    DeadlineExceededError,
    DiarizationError,
    FailedPreconditionError,
    InvalidArgumentError,
    ModelError,
    ServerError,
    ServingError,
    StorageError,
    TooLargeError,
    UnavailableError,
    UsageError,
)

_ANSWERS: dict[type[BaseException], type[ServerError]] = {
    AudioTooLongError: TooLargeError,
    AudioError: InvalidArgumentError,
    UsageError: InvalidArgumentError,
    ModelError: FailedPreconditionError,
    DiarizationError: UnavailableError,
    ServingError: UnavailableError,
    StorageError: UnavailableError,
}
"""For each class, and for those below it that are not named themselves."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK_RETRY_S = 30.0
"""Room comes back when other uploads end, which takes longer than a full queue."""

_OWN_NAMES = ("model", "language", "task", "initial_prompt", "hotwords", "word_timestamps")
"""Options of Triton's contract that callers set by the same name; the others are options of decoding."""


def as_server_error(error: BaseException) -> ServerError | None:
    """The error that a caller sees; None for a fault of ours, whose text stays in the log."""
    if isinstance(error, ServerError):
        return _in_neutral_terms(error)
    if isinstance(error, TimeoutError):
        return DeadlineExceededError("the call took longer than its deadline, or the gateway's limit")
    if isinstance(error, OSError) and error.errno in _FULL:
        return UnavailableError("the server's disk is full", retry_after_s=_DISK_RETRY_S)
    for kind in type(error).__mro__:
        if answer := _ANSWERS.get(kind):
            field = "audio" if isinstance(error, AudioError) else None
            retry_s = _DISK_RETRY_S if isinstance(error, StorageError) else None
            return answer(str(error), field=field, retry_after_s=retry_s)
    return None


def _in_neutral_terms(error: ServerError) -> ServerError:
    """Triton names its tensors (`OPTIONS.language`, `AUDIO`); callers never saw those."""
    if error.field:
        tensor, _, name = error.field.rpartition(".")
        if error.field in ("AUDIO", "AUDIO_INT16"):
            error.field = "audio"
        elif tensor == "OPTIONS":
            error.field = name if name in _OWN_NAMES else f"decoding.{name}"
    return error
