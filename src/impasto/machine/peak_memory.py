"""How much memory a process has needed."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_memory() -> float | None:
    """The most main memory that this process has held so far, in MiB; None where unknown.

    It never falls: whatever is to be measured alone needs a process of its own.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    if sys.platform == "win32":
        return None
    import resource

    # Second choice: on Linux it may be the peak of the process that started this one.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
