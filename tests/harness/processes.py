"""What is looked at beside a measurement: something polled on a thread, the memory and CPU time of process trees."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psutil


@contextmanager
def polled(look: Callable[[], object], every_s: float) -> Iterator[None]:
    """Call `look` at once, then every `every_s` seconds on a thread of its own, and once more when the block ends."""
    stop = threading.Event()

    def run() -> None:
        look()
        while not stop.wait(every_s):
            look()
        look()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Poll until the condition holds; False when it never did."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def role(words: Sequence[str]) -> str | None:
    """What a process of ours is by its command line; None for any other."""
    if model := next((found[1] for word in words if (found := re.search(r"/models/([^/]+)/\d+/model.py", word))), None):
        return f"stub {model}"
    if any(word.endswith(("/bin/tritonserver", "_exec.py")) for word in words[:3]):
        return "tritonserver"
    names = {"triscribe.media.worker": "decoder", "gateway": "gateway", "transcribe": "triscribe transcribe"}
    return next((name for sign, name in names.items() if sign in words), None)


class Tree:
    """Some processes and all their children, looked at as one.

    Attributes:
        peak_mb: the largest of `memory_mb` so far.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = tuple(pids)
        self.peak_mb = 0.0

    def processes(self) -> list[psutil.Process]:
        """Those that live."""
        found: list[psutil.Process] = []
        for pid in self._pids:
            try:
                parent = psutil.Process(pid)
                found += [parent, *parent.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        return found

    def memory_mb(self) -> float:
        """Proportional set size (pages that several share are shared out) in MB, now."""
        total = 0
        for process in self.processes():
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue  # it has just ended
        self.peak_mb = max(self.peak_mb, total / 1e6)
        return total / 1e6

    def cpu_s(self) -> float:
        """Seconds of CPU time that those alive have used so far."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(time.user + time.system for time in times)
