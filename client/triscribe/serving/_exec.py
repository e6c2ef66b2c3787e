"""Become another program that dies with its parent. Run by path, so that it imports nothing of ours.

Usage: python -I _exec.py PARENT_PID PROGRAM [ARGUMENT ...]
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h

if __name__ == "__main__":
    parent, *command = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):  # it died before we asked for its death signal
        sys.exit("the parent is gone")
    os.execv(command[0], command)  # noqa: S606 - no shell is the point
