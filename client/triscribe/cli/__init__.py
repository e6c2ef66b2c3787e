"""The command line: transcripts go to stdout, everything else to stderr."""

import sys
from typing import NoReturn

from triscribe.errors import MissingPackageError
from triscribe.extras import needs

_EXIT_USAGE = 2
_EXTRAS = {"serve": "server", "doctor": "server", "gateway": "gateway", "gateway-token": "gateway"}
"""What commands need beyond `local`."""


def main() -> NoReturn:
    """Run the command; where its packages are missing, say in one line which extra brings them."""
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    try:
        with needs(_EXTRAS.get(command, "local"), "The command line"):
            from triscribe.cli.app import main as run  # noqa: PLC0415 - typer and the like come with an extra
    except MissingPackageError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(_EXIT_USAGE)
    run()


__all__ = ["main"]
