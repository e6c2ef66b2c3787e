"""`python -m triscribe_whisper.probe FOLDER DEVICE COMPUTE_TYPE`: one real encode, told as one line of JSON.

For `triscribe doctor`, which runs it in a process of its own: a crash of a native library is then a finding.
"""

from __future__ import annotations

import json
import sys
import time

import ctranslate2

from .device import try_one


def main(path: str, device: str, compute_type: str) -> int:
    """Encode, print, and return the exit status."""
    started = time.monotonic()
    answer: dict[str, object] = {"gpus": ctranslate2.get_cuda_device_count()}
    try:
        answer["compute_type"] = try_one(path, device=device, compute_type=compute_type).compute_type
    except (RuntimeError, ValueError) as error:
        answer["error"] = str(error)
    answer["seconds"] = round(time.monotonic() - started, 2)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
