"""`triscribe`: the commands and how they end."""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
from contextlib import suppress
from importlib.metadata import version
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.logging import RichHandler

from triscribe.cli.doctor import doctor
from triscribe.cli.gateway import gateway, gateway_token
from triscribe.cli.models import models_app
from triscribe.cli.serve import serve
from triscribe.cli.shown import shown
from triscribe.cli.transcribe import transcribe
from triscribe.errors import TriscribeError, UsageError

EXIT_FAILED = 1
EXIT_USAGE = 2

_M_ARENA_MAX = -8
"""glibc's malloc.h."""

app = typer.Typer(
    name="triscribe",
    help="Speech to text with a time for every word, served by Triton.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(transcribe)
app.command()(serve)
app.command()(doctor)
app.command()(gateway)
app.command("gateway-token")(gateway_token)
app.add_typer(models_app, name="models")


class _ShownFormatter(logging.Formatter):
    """Messages quote names of files, which may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record), lines=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("triscribe"))
        raise typer.Exit


@app.callback()
def options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, to stderr.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Set up logging for every command."""
    handler = RichHandler(console=Console(stderr=True), show_path=False, show_time=verbose)
    handler.setFormatter(_ShownFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)


def main() -> NoReturn:
    """Run the command line; errors end in one line and a status, never in a traceback."""
    # As with Ctrl-C, every `finally` runs: the embedded server is stopped and its folder removed.
    signal.signal(signal.SIGTERM, _terminate)
    _allocate_from_two_arenas()
    try:
        app()
    except UsageError as error:
        typer.echo(f"Error: {shown(str(error), lines=True)}", err=True)
        sys.exit(EXIT_USAGE)
    except TriscribeError as error:
        typer.echo(f"Error: {shown(str(error), lines=True)}", err=True)
        sys.exit(EXIT_FAILED)
    sys.exit(0)


def _allocate_from_two_arenas() -> None:
    """Recordings are allocated on one thread and freed on another: every further arena holds holes of its own."""
    with suppress(AttributeError, OSError):  # a C library other than glibc
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + signum)
