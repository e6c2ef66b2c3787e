"""The diarizer dies with the process that started it, whatever state either is in."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int) -> None:
    """Arranges the end of this process for when its parent ends.

    Two ways, since each has a gap: on Linux the kernel kills us (also when a long call holds the interpreter
    lock); everywhere standard input, a pipe that only the parent holds, reaches its end.

    Args:
        parent: process id of the parent as it sees itself.
    """
    threading.Thread(target=_exit_at_end_of_input, name="parent-watch", daemon=True).start()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.name == "posix" and os.getppid() != parent:  # it ended before the line above
        os._exit(1)


def _exit_at_end_of_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)
