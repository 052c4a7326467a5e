"""Protection of this process's memory, which holds tokens and keys, from disks and debuggers."""

from __future__ import annotations

import logging
import sys

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4  # <linux/prctl.h>


def keep_memory_private() -> None:
    """Have no core dumps written, and on Linux no other process of the user look into us.

    Where the system does not let us, a warning is logged. Windows writes no dumps by itself.
    """
    if sys.platform == "win32":
        return
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":
            _forbid_looking()
    except (OSError, ValueError) as error:
        log.warning("a crash may write secrets to the disk: %s", error)


def _forbid_looking() -> None:
    import ctypes
    import os

    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
