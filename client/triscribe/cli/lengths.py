"""How long a recording can be at most, told without decoding it."""

from __future__ import annotations

import math
import wave
from pathlib import Path

from triscribe.cli.outputs import STDIN

_LEAST_BYTES_PER_S = 1500
"""12 kbit/s, of which hardly any codec makes speech with less."""


def longest(file: str) -> float:
    """Seconds that `file` lasts: exactly for WAV, an estimate from its size for what is compressed.

    Infinite for standard input; 0 for what cannot be read, which is an error of its own later.
    """
    if file == STDIN:
        return math.inf
    path = Path(file)
    try:
        if not path.is_file():
            return 0.0
        with path.open("rb") as opened, wave.open(opened) as audio:
            return float(audio.getnframes() / max(1, audio.getframerate()))
    except (wave.Error, EOFError):
        return path.stat().st_size / _LEAST_BYTES_PER_S
    except OSError:
        return 0.0
