"""Paints one picture in a process of its own, so that its memory is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import clocked, describe_machine
from benchmarks.own_process import call_in_own_process
from benchmarks.quality.pairs import PairFiles
from impasto import Compute, Settings, iterate
from impasto.machine.peak_memory import peak_memory


@dataclass(frozen=True)
class PaintingCost:
    """What a picture took: seconds, MiB and machine as in `benchmarks.quality.records.Record`."""

    seconds: float
    peak_mib: float | None
    machine: Mapping[str, Any]


def paint_in_own_process(
    pair: PairFiles, settings: Settings, compute: Compute, output: Path
) -> PaintingCost:
    """Paints a pair in a new process.

    Raises:
        BenchmarkError: it failed; the message is the last line of its errors.
    """
    name = f"painting {output}"
    return call_in_own_process(paint, pair, settings, compute, output, name=name)


def paint(pair: PairFiles, settings: Settings, compute: Compute, output: Path) -> PaintingCost:
    """Paints a pair in this process."""
    seconds, last = 0.0, None
    for elapsed, step in clocked(iterate(pair.content, pair.style, settings, compute=compute)):
        seconds, last = elapsed, step
    assert last is not None  # a run has at least one step
    last.image.save(output)
    machine = {**describe_machine(), "compute": str(compute.machine())}
    return PaintingCost(seconds, peak_memory(), machine)
