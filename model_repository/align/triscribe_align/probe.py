"""`python -m triscribe_align.probe cpu|cuda`: one real ONNX session with a convolution, told as one line of JSON.

For `triscribe doctor`, which runs it in a process of its own: a crash of a native library is then a finding.
"""

from __future__ import annotations

import json
import sys

from .errors import AlignError
from .runtime import prove


def main(device: str) -> int:
    """Run, print, and return the exit status."""
    answer: dict[str, str] = {}
    try:
        prove("cuda" if device == "cuda" else "cpu")
    except AlignError as error:
        answer["error"] = str(error)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if answer else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
