"""Bearer tokens: hashed at rest, compared in constant time, rotated by editing a file."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from triscribe.errors import ServingError, UnauthenticatedError

logger = logging.getLogger(__name__)

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64})\s+sha256:(?P<digest>[0-9a-f]{64})")
_LOOK_AGAIN_S = 1.0


def make_token(name: str) -> tuple[str, str]:
    """A new token and its line for the file.

    256 random bits need no slow hash: nobody can guess them, and a stolen file gives none away.

    Raises:
        ValueError: the name has other characters than letters, digits, `.`, `_` and `-`, or more than 64.
    """
    token = secrets.token_urlsafe(32)
    line = f"{name} sha256:{_digest(token)}"
    if not _LINE.fullmatch(line):
        raise ValueError(f"{name!r} is no name: up to 64 letters, digits, dots, dashes and underscores")
    return token, line


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class TokenFile:
    """The callers that may come in: lines of `NAME sha256:HEX`; a name may have several, `#` starts a comment."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ServingError: it cannot be read, or a line is wrong.
        """
        self._path = path
        self._stamp = self._changed_at()
        self._callers = self._read()
        self._next_look = time.monotonic() + _LOOK_AGAIN_S

    def caller(self, metadata: Mapping[str, object]) -> str:
        """The name of whoever calls.

        Raises:
            UnauthenticatedError: no token, or an unknown one; the text is the same, so that nothing can be learnt.
        """
        self._refresh()
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        given = _digest(token.strip() if scheme.lower() == "bearer" else "")
        found = None
        # Every entry is compared, whichever fits: the time tells nothing about the file.
        for digest, name in self._callers:
            if hmac.compare_digest(digest, given):
                found = name
        if found is None:
            raise UnauthenticatedError("the bearer token is missing or wrong")
        return found

    def _refresh(self) -> None:
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK_AGAIN_S
        try:
            stamp = self._changed_at()
            if stamp != self._stamp:
                self._callers, self._stamp = self._read(), stamp
                logger.info("tokens_reloaded")
        except ServingError as error:
            logger.error("tokens_unreadable", extra={"reason": str(error)})  # the last good file stays in force

    def _changed_at(self) -> tuple[int, int, int]:
        try:
            status = self._path.stat()
        except OSError as error:
            raise ServingError(f"The tokens in {self._path} cannot be read: {error.strerror}.") from error
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> tuple[tuple[str, str], ...]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ServingError(f"The tokens in {self._path} cannot be read: {error}.") from error
        callers = []
        for number, line in enumerate(lines, 1):
            text = line.partition("#")[0].strip()
            match = _LINE.fullmatch(text)
            if text and not match:
                raise ServingError(f"Line {number} of {self._path} is not NAME sha256:HEX.")
            if match:
                callers.append((match["digest"], match["name"]))
        return tuple(callers)
