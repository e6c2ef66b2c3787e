"""Hostile input: every door is fed with what nobody sensible sends, for so many seconds each.

    .venv/bin/python -m benchmarks.reliability.fuzz [--seconds 60] [--quick] [--write] [--only decoder,...] [--seed N]

decoder: mutated media of every container. limits: headers that lie and bombs, each against the memory limit.
references: playlists, scripts and boxes that point at files, addresses and devices; the kernel tells what was opened
(strace), after the same watcher has seen an unprotected decoder open the bait. tensors: whatever Triton's protocol can
carry, to all three models. options: OPTIONS as JSON. gateway, diarizer: protobuf messages. manifest, journal: files.
guided: what Python code of ours takes apart, guided by coverage (atheris), so many seconds for each kind of text.

A target fails on a crash, an error without a proper code (INTERNAL, UNKNOWN, an exception that is not ours), and when
the ordinary request that follows is not answered as before. All but `guided` are random mutations.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable

from benchmarks.page import markdown_table, read_table, write_section
from benchmarks.reliability.fuzz import guided as fuzz_guided
from benchmarks.reliability.fuzz import media as fuzz_media
from benchmarks.reliability.fuzz import server as fuzz_server
from benchmarks.reliability.fuzz import state as fuzz_state
from benchmarks.reliability.fuzz.base import Finding, Target

TARGETS: dict[str, Callable[[Target], None]] = {
    "decoder": fuzz_media.decoder,
    "limits": fuzz_media.limits,
    "references": fuzz_media.references,
    "tensors": fuzz_server.tensors,
    "options": fuzz_server.options,
    "gateway": fuzz_server.gateway,
    "diarizer": fuzz_server.diarizer,
    "manifest": fuzz_state.manifest,
    "journal": fuzz_state.journal,
}
if fuzz_guided.is_available():
    TARGETS["guided"] = fuzz_guided.guided


COLUMNS = ("target", "cases", "time", "outcomes", "seen", "failures")


def run(name: str, seconds: float, seed: int) -> Target:
    """One target for so long."""
    target = Target(name, seconds, random.Random(seed))
    started = time.monotonic()
    try:
        TARGETS[name](target)
    except Finding as finding:
        target.findings.append(str(finding))
    except Exception:
        target.findings.append(traceback.format_exc())
    target.took_s = time.monotonic() - started
    print(f"{name}: {target.cases} cases in {target.took_s:.0f} s, {dict(target.outcomes)}", flush=True)
    for found in target.findings:
        print(f"  FOUND {found}", flush=True)
    return target


def main() -> None:
    """Run, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="a target")
    parser.add_argument("--quick", action="store_true", help="five seconds a target")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--only", default=",".join(TARGETS))
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md; other rows stay")
    arguments = parser.parse_args()
    seconds = 5.0 if arguments.quick else arguments.seconds
    done = [run(name, seconds, arguments.seed) for name in arguments.only.split(",")]
    rows = [
        [
            target.name,
            target.cases,
            f"{target.took_s:.0f} s",
            ", ".join(f"{kind} {count}" for kind, count in target.outcomes.most_common(8)),
            "; ".join(target.notes) or "",
            len(target.findings) or "none",
        ]
        for target in done
    ]
    print(markdown_table(COLUMNS, rows))
    if arguments.write:
        page, section = "reliability.md", "fuzz"
        known = {row[0]: row for row in read_table(page, section)} | {str(row[0]): row for row in rows}
        table = markdown_table(COLUMNS, [known[name] for name in TARGETS if name in known])
        write_section(page, section, table)
    if any(target.findings for target in done):
        sys.exit(1)


if __name__ == "__main__":
    main()
