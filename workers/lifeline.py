"""A child process of `arbsaga up` never outlives it, however the supervisor ends."""

import ctypes
import os
import signal
import sys
import threading
import time

PARENT = "_ARBSAGA_PARENT"
"""Environment variable with the supervisor's process id; absent when a process was started by hand."""
AGAIN = "_ARBSAGA_AGAIN"
"""Environment variable that is set where an earlier life of this process was ready."""
_PR_SET_PDEATHSIG = 1


def supervised() -> bool:
    """Whether this process was started by `arbsaga up`."""
    return PARENT in os.environ


def started_again() -> bool:
    """Whether an earlier life of this process was ready: what it needs is set up, and at most being restarted too."""
    return AGAIN in os.environ


def die_with_parent() -> None:
    """Have the system kill this process when its supervisor ends. Does nothing when started by hand."""
    parent = int(os.environ.get(PARENT, "0"))
    if not parent:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before prctl took effect
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    """Where the system has no such signal: look twice a second."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)
