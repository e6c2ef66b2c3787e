import errno

import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from triscribe import errors
from triscribe.errors import TriscribeError
from triscribe.gateway.grpc.status import rich_status
from triscribe.service.refusals import as_server_error


def concrete(kind: type[TriscribeError]) -> list[type[TriscribeError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in concrete(child))]


@pytest.mark.parametrize("kind", [k for k in concrete(TriscribeError) if k not in (TriscribeError, errors.ServerError)])
def test_every_error_of_ours_has_a_status(kind):
    error = as_server_error(kind("why"))
    assert error is not None
    assert rpc_status.to_status(rich_status(error, "id")).code.name == error.code


def test_a_fault_of_ours_has_none():
    assert as_server_error(ZeroDivisionError("secret")) is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.AudioError("no media"), "INVALID_ARGUMENT"),
        (errors.AudioTooLongError("too long"), "RESOURCE_EXHAUSTED"),
        (TimeoutError(), "DEADLINE_EXCEEDED"),
        (OSError(errno.ENOSPC, "No space left on device"), "UNAVAILABLE"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "UNAVAILABLE"),
        (errors.StorageError("no room"), "UNAVAILABLE"),
    ],
)
def test_codes(error, code):
    answer = as_server_error(error)
    assert answer is not None
    assert answer.code == code


def details(error, kind):
    for packed in rich_status(error, "id-7").details:
        message = kind()
        if packed.Unpack(message):
            return message
    return None


def test_details_help_the_caller():
    wrong = errors.InvalidArgumentError("no such language", field="config.language_code")
    assert details(wrong, error_details_pb2.BadRequest).field_violations[0].field == "config.language_code"
    assert details(wrong, error_details_pb2.RequestInfo).request_id == "id-7"
    full = errors.ResourceExhaustedError("full", retry_after_s=1.5)
    assert details(full, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() == 1500
    large = errors.TooLargeError("too large")
    assert details(large, error_details_pb2.RetryInfo) is None
    assert details(errors.UnavailableError("loading"), error_details_pb2.RetryInfo) is not None


def test_a_long_message_fits_into_headers():
    assert len(rich_status(errors.InvalidArgumentError("x" * 100_000, field="f"), "id").SerializeToString()) < 4096


def test_too_large_is_not_busy():
    """Both are RESOURCE_EXHAUSTED; only what is busy may be tried again."""
    assert isinstance(as_server_error(errors.AudioTooLongError("too long")), errors.TooLargeError)
    assert not isinstance(errors.TooLargeError("too long"), errors.ResourceExhaustedError)


@pytest.mark.parametrize(
    ("of_triton", "neutral"),
    [
        ("OPTIONS.language", "language"),
        ("OPTIONS.beam_size", "decoding.beam_size"),
        ("OPTIONS.temperature", "decoding.temperature"),
        ("AUDIO", "audio"),
        ("audio", "audio"),
        (None, None),
    ],
)
def test_names_of_tensors_do_not_reach_a_caller(of_triton, neutral):
    answer = as_server_error(errors.InvalidArgumentError("wrong", field=of_triton))
    assert answer is not None
    assert answer.field == neutral


def test_a_file_that_is_not_there_is_our_fault():
    assert as_server_error(FileNotFoundError(errno.ENOENT, "gone")) is None
