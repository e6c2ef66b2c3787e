"""Every fault against the real processes: what is done, what is expected, what was seen.

    .venv/bin/python -m benchmarks.reliability.faults [--only NAME,…] [--quick] [--write]

A name of `--only` may be the beginning of several. Ends with status 1 when an outcome differs from what is expected;
`--write` puts the table into docs/reliability.md. `clock` sets the clock of the machine for some seconds, for all who
work on it: it is made only when named.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict

from filelock import FileLock
from tests.harness.paths import REPOSITORY

from benchmarks.page import markdown_table, write_section
from benchmarks.reliability.faults import host as faults_host
from benchmarks.reliability.faults import network as faults_network
from benchmarks.reliability.faults import peers as faults_peers
from benchmarks.reliability.faults import triton as faults_triton
from benchmarks.reliability.faults.stage import MODEL, Fault, Seen, Stage

QUICK = ("kill-whisper-load", "stop-whisper-load")
LAST = REPOSITORY / "out" / "reliability" / "faults.json"
"""The last outcome of each fault: `--only` with `--write` replaces single rows of the page."""
COLUMNS = ("fault", "expected", "seen", "not ready after", "ready again after", "results", "")


FAULTS = tuple(fault for part in (faults_triton, faults_peers, faults_host, faults_network) for fault in part.faults())


def main() -> None:
    """Make the chosen faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names, or beginnings of names")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    parser.add_argument("--list", action="store_true", help="name them all and make none")
    arguments = parser.parse_args()
    wanted = tuple(filter(None, arguments.only.split(","))) or (QUICK if arguments.quick else ("",))
    chosen = [
        f for f in FAULTS if f.name.startswith(wanted) and (arguments.list or not f.on_request or f.name in wanted)
    ]
    if arguments.list:
        print("\n".join(f"{fault.name:28} {fault.done}" for fault in chosen))
        return
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    started, seen = time.monotonic(), {}
    if arguments.write and not arguments.only:
        LAST.unlink(missing_ok=True)
    with Stage() as stage:
        for fault in chosen:
            seen[fault.name] = _made(stage, fault)
            if arguments.write:
                _write(fault.name, seen[fault.name])
    took = time.monotonic() - started
    wrong = [name for name, outcome in seen.items() if not outcome.ok]
    print(f"{_table(seen)}\n{len(seen)} faults in {took / 60:.1f} min; not as expected: {', '.join(wrong) or 'none'}")
    sys.exit(bool(wrong))


def _write(name: str, seen: Seen) -> None:
    """The row into the page, beside the last outcomes of the other faults."""
    LAST.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(LAST.with_suffix(".lock")):
        last = json.loads(LAST.read_text()) if LAST.exists() else {}
        last[name] = asdict(seen)
        LAST.write_text(json.dumps(last))
        rows = {fault.name: Seen(**last[fault.name]) for fault in FAULTS if fault.name in last}
        wrong = sum(not row.ok for row in rows.values())
        words = f"Model {MODEL}, {os.cpu_count()} cores; {len(rows)} of {len(FAULTS)} faults, {wrong} not as expected."
        write_section("reliability.md", "faults", f"{words}\n\n{_table(rows)}")


def _made(stage: Stage, fault: Fault) -> Seen:
    started = time.monotonic()
    try:
        seen = fault.make(stage)
    except (Exception, asyncio.CancelledError) as error:
        seen = Seen(False, f"{type(error).__name__}: {error}")
    print(f"{'ok  ' if seen.ok else 'FAIL'} {fault.name} ({time.monotonic() - started:.0f} s): {seen}")
    return seen


def _words(outcome: str) -> str:
    """An outcome on one line of the table, without paths of this machine."""
    return re.sub(r"/\S+/", "…/", " ".join(outcome.split()))[:160].replace("|", "\\|")


def _table(rows: Mapping[str, Seen]) -> str:
    def seconds(value: float | None) -> str:
        return "" if value is None else f"{value:.1f} s"

    def equal(seen: Seen) -> str:
        return "" if seen.equal is None else "equal" if seen.equal else "**differ**"

    return markdown_table(
        COLUMNS,
        [
            (
                fault.done,
                fault.expected,
                _words(seen.outcome),
                seconds(seen.not_ready_s),
                seconds(seen.ready_s),
                equal(seen),
                "yes" if seen.ok else "**no**",
            )
            for fault in FAULTS
            if (seen := rows.get(fault.name))
        ],
    )


if __name__ == "__main__":
    main()
