"""What models are called inside Triton."""

from __future__ import annotations

import re

from triscribe.errors import UsageError

TRANSCRIBE = "transcribe"
"""The pipeline that clients ask."""

_UNUSABLE = re.compile(r"[^A-Za-z0-9._-]+")


def whisper_model(checkpoint: str) -> str:
    """The Triton model that serves a checkpoint."""
    return f"whisper-{checkpoint}"


def name_of_folder(folder: str) -> str:
    """A name under which a folder's checkpoint can be served: Triton, metrics and file names take these characters.

    Raises:
        UsageError: nothing of it is left.
    """
    name = _UNUSABLE.sub("-", folder).strip("-.")
    if not name:
        raise UsageError(f"The folder {folder!r} gives its checkpoint no name: rename it, with letters and digits.")
    return name
