"""What is said where the packages of an extra are missing: one line that names the extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from triscribe.errors import MissingPackageError


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """Imports of what `extra` brings go inside; `what` begins the sentence that says what cannot be had without it.

    Raises:
        MissingPackageError: one of its packages is not installed.
        ModuleNotFoundError: a module of ours is missing, which more packages would not mend.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "triscribe"):
            raise
        raise _missing(extra, what, package) from error


def require(module: str, extra: str, what: str) -> None:
    """The same for a module that another process will import.

    Raises:
        MissingPackageError: it is not installed.
    """
    if find_spec(module) is None:
        raise _missing(extra, what, module)


def _missing(extra: str, what: str, package: str) -> MissingPackageError:
    return MissingPackageError(
        f"{what} needs more packages ({package} is missing): pip install 'triscribe[{extra}]'.", name=package
    )
