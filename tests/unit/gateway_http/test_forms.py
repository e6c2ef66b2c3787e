"""Forms as callers send them, and as none should."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from triscribe.errors import InvalidArgumentError, ServerError, TooLargeError
from triscribe.gateway.http.errors import UnsupportedMediaTypeError, status
from triscribe.gateway.http.forms import Form, read_form
from triscribe.service.spool import Spools

HEADERS = {"content-type": "multipart/form-data; boundary=frontier"}
MAX_BYTES = 2000


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--frontier\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


END = b"--frontier--\r\n"


async def read(body: bytes, size: int = 7, headers: dict[str, str] | None = None) -> tuple[Form, bytes]:
    """The form and the content of the file, from a body that comes in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    spools = Spools(10_000, 5000)
    try:
        async with spools.open() as spool:
            form = await read_form(Headers(headers or HEADERS), pieces(), spool, MAX_BYTES)
            await spool.finish()
            return form, spool.path.read_bytes()
    finally:
        spools.close()


async def test_fields_before_and_after_the_file_and_arrays_of_both_kinds():
    body = part("keywords[]", b"a") + part("file", b"\0\r\n--x", '; filename="../../etc/passwd"')
    body += part("keywords", b"b") + part("model", "größte".encode()) + END
    form, content = await read(body)
    assert form.fields == {"keywords": ["a", "b"], "model": ["größte"]}
    assert content == b"\0\r\n--x"


async def test_empty_fields_are_absent():
    form, content = await read(part("model", b"") + part("keywords[]", b"[]") + part("file", b"x") + END)
    assert (form.fields, form.has_file, content) == ({}, True, b"x")


async def test_a_model_that_is_sent_as_a_file_is_a_field_and_a_file_without_a_name_a_file():
    form, content = await read(part("model", b"base", '; filename="m"') + part("file", b"x") + END)
    assert (form.fields, content) == ({"model": ["base"]}, b"x")


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (part("file", b"x"), InvalidArgumentError, "ends before"),
        (b"", InvalidArgumentError, "ends before"),
        (b"no form at all", InvalidArgumentError, "well-formed"),
        (part("file", b"x") + part("file", b"y") + END, InvalidArgumentError, "more than one file"),
        (part("model", b"\xff") + END, InvalidArgumentError, "UTF-8"),
        (part("", b"x") + END, InvalidArgumentError, "no name"),
        (b"--frontier\r\nX: y\r\n\r\nx\r\n" + END, InvalidArgumentError, "no name"),
        (b"".join(part("a", b"") for _ in range(300)) + END, InvalidArgumentError, "256"),
        (part("prompt", bytes(3000)) + END, TooLargeError, "2000 bytes"),
        (part("file", bytes(6000)) + END, TooLargeError, "5000 bytes"),
    ],
)
async def test_what_is_refused(body, error, says):
    with pytest.raises(error, match=says):
        await read(body, 500)


@pytest.mark.parametrize("kind", ["", "application/json", "application/x-www-form-urlencoded"])
async def test_other_bodies_are_415(kind):
    with pytest.raises(UnsupportedMediaTypeError) as caught:
        await read(b"{}", headers={"content-type": kind})
    assert status(caught.value) == 415


@pytest.mark.parametrize("kind", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 300}"])
async def test_a_boundary_that_is_missing_or_endless_is_400(kind):
    with pytest.raises(InvalidArgumentError, match="boundary"):
        await read(b"--x--", headers={"content-type": kind})


NAMES = st.sampled_from(["file", "model", "keywords[]", "chunking_strategy[type]", 'a"b', "ä", ""])
PARTS = st.lists(st.tuples(NAMES, st.binary(max_size=400)), max_size=6)
PIECES = st.one_of(
    PARTS.map(lambda parts: b"".join(part(name, value) for name, value in parts) + END),
    st.lists(
        st.sampled_from(
            [b"--frontier", b"\r\n", b"--", b"Content-Disposition: form-data; name=file", b":", b"x", b"\0"]
        )
    ).map(b"".join),
    st.binary(max_size=200),
)


@settings(max_examples=400, deadline=None)
@given(PIECES, st.integers(1, 300))
async def test_any_bytes_are_a_form_or_a_refusal_of_the_caller(body, size):
    number = 200
    try:
        await read(body, size)
    except ServerError as error:
        number = status(error)
    assert number < 500
