"""The processors: their name, and how many there are to compute with."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path


def usable_processors() -> int:
    """Those that this process may use: fewer than there are if it was bound to some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """The processor's model, where the system tells; else its architecture."""
    return _fact("model name") or platform.processor() or platform.machine()


def is_of_intel() -> bool:
    """Whether Intel made the processor; False where the system does not tell."""
    return "GenuineIntel" in (_fact("vendor_id") or platform.processor())  # Windows names it there


def has_instructions(name: str) -> bool:
    """Whether the processor has instructions of this name, as Linux spells it: ``avx_vnni``.

    False where the system does not tell.
    """
    return name in _fact("flags").split()


@cache
def _fact(wanted: str) -> str:
    """What Linux says of the first processor under a name; empty where it says nothing."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == wanted:
                    return value.strip()
    except OSError:
        pass
    return ""
