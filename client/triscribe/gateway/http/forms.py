"""Multipart forms: fields into memory, within bounds; the file to disk while it arrives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers

from triscribe.errors import InvalidArgumentError, TooLargeError
from triscribe.gateway.http.errors import UnsupportedMediaTypeError
from triscribe.service.spool import Spool

FILE = "file"
"""The field that goes to disk. What it is called, and what type it claims to be, is never looked at."""

_MAX_PARTS = 256

_MULTIPART = b"multipart/form-data"


@dataclass
class Form:
    """Fields by name, `[]` cut off, without those that are empty; whether there was a file."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    has_file: bool = False


async def read_form(headers: Headers, body: AsyncIterator[bytes], spool: Spool, max_bytes: int) -> Form:
    """Read a form.

    Args:
        headers: of the request.
        body: its body, piece by piece.
        spool: gets the bytes of the file.
        max_bytes: of all other fields together.

    Raises:
        UnsupportedMediaTypeError: it is no multipart form.
        InvalidArgumentError: it is damaged, or a field is no text.
        TooLargeError: the file, or the rest, is larger than it may be.
    """
    parts = _Parts(max_bytes)
    parser = _parser(headers, parts)
    length = headers.get("content-length", "")
    if length.isdecimal():  # refused before it is sent; the form around the file is small
        spool.check(int(length) - max_bytes)
    try:
        async for piece in body:
            parser.write(piece)
            if data := parts.take_file():
                await spool.write(data)
        parser.finalize()
    except FormParserError as error:
        raise InvalidArgumentError("the body is no well-formed multipart form") from error
    if not parts.ended:
        raise InvalidArgumentError("the form ends before its last boundary")
    return parts.form()


def _parser(headers: Headers, parts: _Parts) -> MultipartParser:
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind != _MULTIPART:
        raise UnsupportedMediaTypeError(
            "the body must be multipart/form-data, with the audio in the field 'file'", field="file"
        )
    boundary = options.get(b"boundary")
    if not boundary:
        raise InvalidArgumentError("the content type names no boundary of the form")
    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_header_begin": parts.begin_header,
                "on_header_field": parts.header_name,
                "on_header_value": parts.header_value,
                "on_header_end": parts.end_header,
                "on_headers_finished": parts.begin_data,
                "on_part_data": parts.data,
                "on_part_end": parts.end_part,
                "on_end": parts.end,
            },
        )
    except FormParserError as error:
        raise InvalidArgumentError("the boundary of the form is too long") from error


class _Parts:
    """What the parser calls. It cannot wait for a disk, so bytes of the file stay here until they are taken."""

    def __init__(self, max_bytes: int) -> None:
        self.ended = False
        self._max_bytes = max_bytes
        self._bytes = 0
        self._count = 0
        self._files = 0
        self._values: list[tuple[str, bytes]] = []
        self._file = bytearray()
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._name = ""
        self._value = bytearray()

    def begin(self) -> None:
        self._count += 1
        if self._count > _MAX_PARTS:
            raise InvalidArgumentError(f"the form has more than {_MAX_PARTS} fields")
        self._disposition, self._name, self._value = b"", "", bytearray()

    def begin_header(self) -> None:
        self._header = (bytearray(), bytearray())

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)

    def begin_data(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = _text(options.get(b"name", b""), "a name")
        if not self._name:
            raise InvalidArgumentError("a field of the form has no name")
        self._files += self._name == FILE
        if self._files > 1:
            raise InvalidArgumentError("the form has more than one file", field="audio")

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE:
            self._file += data[start:end]
            return
        self._bytes += end - start
        if self._bytes > self._max_bytes:
            raise TooLargeError(f"the fields beside the file are larger than {self._max_bytes} bytes")
        self._value += data[start:end]

    def end_part(self) -> None:
        if self._name != FILE:
            self._values.append((self._name, bytes(self._value)))

    def end(self) -> None:
        self.ended = True

    def take_file(self) -> bytes:
        taken = bytes(self._file)
        self._file.clear()
        return taken

    def form(self) -> Form:
        fields: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in self._values:
            text = _text(value, name)
            if text not in ("", "[]"):
                fields[name.removesuffix("[]")].append(text)
        return Form(dict(fields), self._files > 0)


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(f"{name} is no text in UTF-8", field=name) from error
