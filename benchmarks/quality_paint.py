"""Paints one picture in a process of its own, so that its memory is its own; prints the figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from arguments import BenchmarkError
from impasto import Compute, Settings, iterate
from measuring import clocked, describe_machine, peak_resident_mib


@dataclass(frozen=True)
class Painting:
    """What to paint, how and where to put it."""

    content: str
    style: str
    output: str
    settings: dict[str, Any]
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class Figures:
    """What it took: seconds and MiB as in `quality_records.Record`."""

    seconds: float
    peak_mib: float
    machine: Mapping[str, Any]


def paint_in_own_process(painting: Painting) -> Figures:
    """Paints in a new process.

    Raises:
        BenchmarkError: it failed; the message is the last line of its errors.
    """
    command = [sys.executable, __file__, json.dumps(asdict(painting))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise BenchmarkError(f"painting {painting.output} failed: {said[-1].strip()}")
    return Figures(**json.loads(lines[-1]))


def paint(painting: Painting) -> Figures:
    """Paints in this process."""
    compute = Compute(painting.device, painting.precision)
    settings = Settings(**painting.settings)
    seconds, last = 0.0, None
    for elapsed, step in clocked(
        iterate(painting.content, painting.style, settings, compute=compute)
    ):
        seconds, last = elapsed, step
    assert last is not None  # a run has at least one step
    last.image.save(painting.output)
    machine = {**describe_machine(), "compute": str(compute.machine())}
    return Figures(seconds, peak_resident_mib(), machine)


def main() -> int:
    """Reads a `Painting` as JSON from the command line, prints `Figures` as JSON."""
    print(json.dumps(asdict(paint(Painting(**json.loads(sys.argv[1]))))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
