"""Clock and machine: what every benchmark measures with."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import torch

from impasto.machine.processors import processor_name

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


def describe_machine() -> dict[str, Any]:
    """What figures depend on: ``cpu``, ``cores``, ``threads`` (of torch), ``torch``; ``date``."""
    return {
        "cpu": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def machine_line(machine: Mapping[str, Any]) -> str:
    """The facts of `describe_machine` in one line."""
    return (
        f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores, "
        f"torch {machine['torch']}, {machine['date']}"
    )
