"""Looks at other processes, and waits for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def children_of(process: int) -> list[int]:
    """The numbers of a process's children. Needs /proc."""
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in path.read_text(encoding="ascii").split()]


def alive(process: int) -> bool:
    """Whether a process runs; a dead one of which nobody has taken note is none."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # gone meanwhile, or a system without /proc
        return not Path("/proc/self/stat").exists()


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits until a condition holds. Raises `AssertionError` after so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
