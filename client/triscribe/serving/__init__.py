"""Assembling, starting and supervising Triton on this machine."""

from triscribe.serving.embedded import EmbeddedTriton, ServeOptions

__all__ = ["EmbeddedTriton", "ServeOptions"]
