"""What the allocator's settings of docs/adr/0017-allocator.md are worth: one file, two servers, turn by turn.

.venv/bin/python -m benchmarks.speed.allocator [--data DIR] [--pairs 5]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import median

from tests.harness.paths import DATA
from tests.harness.processes import Tree

from benchmarks.quality.corpus import join, load
from triscribe import blocking
from triscribe.media.decoding import Decoded
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.transcription.options import TranscribeOptions
from triscribe.transcription.transcriber import Transcriber
from triscribe.triton.session import Session
from triscribe.types import Samples

GLIBC_DEFAULTS = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}


async def file(url: str, samples: Samples) -> float:
    """Seconds for the whole file."""
    began = time.perf_counter()
    async with Session(url) as session:
        options = TranscribeOptions(language="en")
        await Transcriber(url, options).transcribe_in(session, Decoded(samples))
    return time.perf_counter() - began


def main() -> None:
    """Print each turn and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    samples = join(load(arguments.data / "asr", {"en"})).samples
    ours = EmbeddedTriton(ServeOptions())
    plain = EmbeddedTriton(ServeOptions())
    with ours:
        os.environ.update(GLIBC_DEFAULTS)
        with plain:
            ratios = []
            for turn in range(arguments.pairs + 1):
                took = [blocking.run(file(server.url, samples)) for server in (plain, ours)]
                if turn:  # the first one counts for nothing
                    ratios.append(took[1] / took[0])
                    print(f"defaults {took[0]:.1f} s, ours {took[1]:.1f} s", flush=True)
            held = []
            for server in (plain, ours):
                assert server.supervisor.process
                held.append(Tree([server.supervisor.process.pid]).memory_mb() / 1e3)
    print(f"ours / defaults: median {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) of the time")
    print(f"memory held afterwards: defaults {held[0]:.2f} GB, ours {held[1]:.2f} GB")


if __name__ == "__main__":
    main()
