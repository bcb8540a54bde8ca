"""How many processors there are to compute with."""

from __future__ import annotations

import os


def usable_processors() -> int:
    """Those that this process may use: fewer than there are if it was bound to some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
