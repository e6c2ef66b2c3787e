"""The command line. The only part of the client that prints: transcripts to stdout, everything else to stderr."""

from triscribe.cli.app import main

__all__ = ["main"]
