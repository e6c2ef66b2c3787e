"""What a process opens, seen by the kernel: `strace` on it for a while. Linux, with strace installed."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_OPENED = re.compile(r'\b(open|openat|openat2|creat|execve)\([^"]*"((?:[^"\\]|\\.)*)"')
_NETWORK = re.compile(r"\b(socket|connect|bind|sendto)\(")


@dataclass
class Seen:
    """Paths that were opened or executed, whether that worked or not, and calls that need a network."""

    paths: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)


def is_available() -> bool:
    """Whether a process may be watched here."""
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


@contextmanager
def watched(pid: int) -> Iterator[Seen]:
    """Watch a process and its threads; what was seen is complete when the block ends."""
    seen = Seen()
    with tempfile.TemporaryDirectory(prefix="triscribe-") as folder:
        log = Path(folder) / "log"
        command = ["strace", "-f", "-qq", "-s", "4096", "-e", "trace=open,openat,openat2,creat,execve,%network"]
        tracer = subprocess.Popen([*command, "-o", str(log), "-p", str(pid)], stderr=subprocess.DEVNULL)
        try:
            threads = Path(f"/proc/{pid}/task")
            while any("TracerPid:\t0\n" in (thread / "status").read_text() for thread in threads.iterdir()):
                if tracer.poll() is not None:
                    raise RuntimeError("strace cannot attach")
                time.sleep(0.02)
            yield seen
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(20)
            for line in log.read_text(errors="replace").splitlines() if log.exists() else ():
                if match := _OPENED.search(line):
                    seen.paths.append(match[2])
                elif _NETWORK.search(line):
                    seen.sockets.append(line)
