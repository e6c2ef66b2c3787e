"""The connections to Triton, by how patient they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triscribe.triton.session import Session


@dataclass(frozen=True)
class Sessions:
    """Connections to Triton.

    Attributes:
        quick: never retries; shared by `Recognize` and by what of live audio is not final.
        patient: waits out a full queue or a restart; shared by live finals.
        upload: makes a patient one for an upload, so that no upload takes the places of another.
    """

    quick: Session
    patient: Session
    upload: Callable[[], Session]
