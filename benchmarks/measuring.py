"""Clock, memory and machine: what every benchmark measures with. Needs torch, not impasto."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def clocked(steps: Iterator[T]) -> Iterator[tuple[float, T]]:
    """Yields each step with the seconds spent inside ``steps`` so far.

    What the caller does between two steps does not count: the clock stands still meanwhile.
    """
    elapsed = 0.0
    while True:
        begun = time.perf_counter()
        try:
            step = next(steps)
        except StopIteration:
            return
        elapsed += time.perf_counter() - begun
        yield elapsed, step


def peak_resident_mib() -> float:
    """The most main memory that this process has held so far, in MiB."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    # Second choice: on Linux it may be the peak of the process that started this one.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def describe_machine() -> dict[str, Any]:
    """What figures depend on: ``cpu``, ``cores``, ``threads`` (of torch), ``torch``; ``date``."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def machine_line(machine: dict[str, Any]) -> str:
    """The facts of `describe_machine` in one line."""
    return (
        f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores, "
        f"torch {machine['torch']}, {machine['date']}"
    )


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown CPU"
