"""Which PyTorch checkpoints may be opened. pyannote.audio unpickles them, which runs code of whoever made them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from triscribe.errors import DiarizationError
from triscribe.models import Manifest

_PICKLED = {".bin", ".ckpt", ".pt", ".pth"}


def require_known(paths: Iterable[Path], manifest: Manifest, *, allow_unverified: bool = False) -> None:
    """Refuses checkpoints, and network sources, whose content the manifest does not know.

    Args:
        paths: files that are about to be opened or imported.
        manifest: the known hashes.
        allow_unverified: the operator vouches for files that are not in the manifest.

    Raises:
        DiarizationError: a file is unknown and nobody vouches for it.
    """
    known = {file.sha256 for model in manifest.model for file in model.files if file.sha256}
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in known and not allow_unverified:
            raise DiarizationError(
                f"{path} (sha256 {digest}) is not in the manifest of models. Opening a PyTorch checkpoint can run "
                "code of whoever made it, so it stays closed; if you trust where it comes from, start the diarizer "
                "with --allow-unverified-checkpoints."
            )


def pickled_files(folder: Path) -> list[Path]:
    """The checkpoints in a folder and below."""
    return sorted(path for path in folder.rglob("*") if path.suffix in _PICKLED)
