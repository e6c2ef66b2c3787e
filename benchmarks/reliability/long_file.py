"""A recording of hours while the server is killed and the network is cut: the text must be that of a quiet run.

    .venv/bin/python -m benchmarks.reliability.long_file [--write] [--hours 4] [--model tiny.en]
    .venv/bin/python -m benchmarks.reliability.long_file --quick

The sample conversation over and over, as FLAC. `triscribe transcribe --server` gets it with both faults, the gateway's
upload gets it without; their texts must be equal. Then a part of it goes through the upload with both faults. Every
process runs under RLIMIT_DATA, a bound on private memory that the kernel enforces; samples are in files that are
mapped, which the kernel may drop, and are no part of it. Speakers are left out: the diarizer is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import psutil
from tests.harness.audio import conversation
from tests.harness.gateway import gateway_process
from tests.harness.paths import COMMAND
from tests.harness.processes import polled, role
from tests.harness.wire import Proxy

from benchmarks.page import markdown_table, write_section
from triscribe.client import AsyncClient, RecognitionOptions
from triscribe.serving import EmbeddedTriton, ServeOptions
from triscribe.types import SAMPLE_RATE

CUT_S = 8.0
UPLOAD_SHARE = 0.125
"""Of the recording, for the upload with faults."""


class Faults:
    """One kill of the server, then one cut of the network, each once its moment has come."""

    def __init__(self, server: EmbeddedTriton, wire: Proxy) -> None:
        self._server, self._wire = server, wire
        self.done: list[str] = []

    def at(self, share: float) -> None:
        """Told about the share of the work that is done."""
        if not self.done and share >= 0.2:
            self.done.append("killed")
            process = self._server.supervisor.process
            assert process is not None
            os.kill(process.pid, signal.SIGKILL)
        elif len(self.done) == 1 and share >= 0.5:
            self.done.append("cut")
            self._wire.cut(CUT_S)


class Peaks:
    """Most private memory (anonymous pages, MB) and most in all (proportional set size) of every kind of process."""

    def __init__(self) -> None:
        self.mb: dict[str, tuple[float, float]] = {}

    def look(self) -> None:
        """Note how things are now."""
        for process in psutil.Process().children(recursive=True):
            try:
                lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
                sizes = {line.split(":")[0]: int(line.split()[1]) / 1e3 for line in lines}
                name = role(process.cmdline()) or "others"
                name = "stubs, each" if name.startswith("stub ") else name
            except (OSError, psutil.Error):
                continue
            before = self.mb.get(name, (0.0, 0.0))
            self.mb[name] = max(before[0], sizes["Anonymous"]), max(before[1], sizes["Pss"])


def record(path: Path, hours: float) -> float:
    """Write a FLAC file of real speech; returns its seconds."""
    tile = (np.clip(conversation(), -1, 1) * 32767).astype(np.int16)
    count = max(1, round(hours * 3600 * SAMPLE_RATE / len(tile)))
    with av.open(str(path), "w", format="flac") as out:
        stream = out.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        for _ in range(count):
            frame = av.AudioFrame.from_ndarray(tile[None], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return count * len(tile) / SAMPLE_RATE


def through_command(server: str, file: Path, folder: Path, moved: Callable[[float], None], chunks: float) -> str:
    """The text by `triscribe transcribe`; its journal tells how far it is, in about so many chunks."""
    journal = folder / f".{file.stem}.journal"
    command = [COMMAND, "transcribe", "--server", server, "--language", "en", "--no-word-timestamps"]
    command += ["--format", "json", "--output-dir", str(folder), "--resume", str(file)]
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            if journal.exists():
                moved(journal.read_bytes().count(b"\n") / chunks)
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"triscribe transcribe ended with status {process.returncode}")
    text: str = json.loads((folder / f"{file.stem}.json").read_text())["text"]
    return text


async def through_upload(address: str, file: Path, moved: Callable[[float], None]) -> str:
    """The text by the gateway's `UploadRecognize`."""
    options = RecognitionOptions(language="en", word_timestamps=False)
    async with AsyncClient(address) as client:
        return (await client.transcribe(file, options, progress=moved)).text


def main() -> None:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--cap-mb", type=int, default=3072, help="private memory of each process, by RLIMIT_DATA")
    parser.add_argument("--quick", action="store_true", help="ten minutes of speech")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    hours = 1 / 6 if arguments.quick else arguments.hours
    share = 0.5 if arguments.quick else UPLOAD_SHARE
    resource.setrlimit(resource.RLIMIT_DATA, (arguments.cap_mb << 20,) * 2)
    peaks, missed, rows = Peaks(), [], []
    with (
        tempfile.TemporaryDirectory(prefix="triscribe-long-") as name,
        EmbeddedTriton(ServeOptions(models=(arguments.model,))) as server,
        Proxy(server.url) as wire,
        gateway_process(wire.address) as gateway,
        polled(peaks.look, 2.0),
    ):
        folder = Path(name)
        files = {part: folder / f"{part}.flac" for part in ("whole", "part")}
        lengths = {"whole": record(files["whole"], hours), "part": record(files["part"], hours * share)}
        runs: list[tuple[str, str, bool]] = [
            ("triscribe transcribe", "whole", True),
            ("UploadRecognize", "whole", False),
            ("UploadRecognize", "part", True),
            ("triscribe transcribe", "part", False),
        ]
        texts: dict[str, list[str]] = {"whole": [], "part": []}
        for door, part, faulty in runs:
            faults = Faults(server, wire)
            moved = faults.at if faulty else _nothing
            began = time.monotonic()
            if door == "UploadRecognize":
                text = asyncio.run(through_upload(gateway.address, files[part], moved))
            else:
                (out := folder / f"{part}-{faulty}").mkdir()
                text = through_command(wire.address, files[part], out, moved, lengths[part] / 13)
            took = time.monotonic() - began
            if faulty and faults.done != ["killed", "cut"]:
                missed.append(f"{door}, {part}: too quick for its faults: {faults.done}")
            texts[part].append(text)
            said = "server killed, network cut" if faulty else "none"
            rows.append([door, f"{lengths[part] / 3600:.2f} h", said, f"{took / 60:.1f} min"])
            rows[-1] += [f"{lengths[part] / took:.0f} x", f"{len(text.split())} words"]
            print("; ".join(rows[-1]), flush=True)
    for part, (one, other) in texts.items():
        same = one == other and bool(one)
        print(f"{part}: {'equal' if same else 'DIFFERENT'} texts with and without faults")
        missed += [] if same else [f"{part}: the text is not that of the quiet run"]
    _report(rows, peaks, arguments, missed)
    sys.exit(bool(missed))


def _nothing(share: float) -> None:
    """A run without faults."""


def _report(rows: list[list[str]], peaks: Peaks, arguments: argparse.Namespace, missed: list[str]) -> None:
    columns = ("through", "recording", "faults", "took", "speed", "text")
    memory = [[name, f"{private:.0f}", f"{total:.0f}"] for name, (private, total) in sorted(peaks.mb.items())]
    parts = [
        f"{os.cpu_count()} cores, {arguments.model}; every process under RLIMIT_DATA of {arguments.cap_mb} MB.",
        markdown_table(columns, rows),
        "Texts with and without faults: " + ("equal." if not missed else "; ".join(missed) + "."),
        markdown_table(("process", "private memory, MB at the peak", "with what is shared and mapped"), memory),
    ]
    print("\n\n".join(parts))
    print("\n".join(missed or ["all expectations hold"]))
    if arguments.write:
        write_section("reliability.md", "long_file", "\n\n".join(parts))


if __name__ == "__main__":
    main()
