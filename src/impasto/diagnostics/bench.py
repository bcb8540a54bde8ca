"""How fast this machine paints: seconds per step, the floor under them, and memory.

Every row is measured in a process of its own, because the peak of a process's memory never falls.
A row is a number of rounds, each a step and then the floor, so that whatever else the machine does
slows both.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from impasto.diagnostics.bench_row import BenchmarkRow, BenchmarkWork, measure_row
from impasto.errors import ImpastoError, SettingsError
from impasto.machine.compute import Compute
from impasto.machine.processes import Child, ChildEnded, Inbox
from impasto.torch_state import with_torch_defaults

SIZES = (256, 512, 1024)
"""Long sides in pixels that are measured unless others are asked for."""

SMALLEST, LARGEST = 80, 4096

_SECONDS = 46.0  # in which it should be done: what would take longer is left out
_SECONDS_TO_START = 2.5  # a process: Python, torch, the network
_ENOUGH_ROUNDS = 3


class BenchmarkError(ImpastoError):
    """A row that could not be measured."""

    exit_code = 1


@with_torch_defaults
def bench(
    sizes: Sequence[int] | None = None, compute: Compute | None = None
) -> Generator[BenchmarkRow, None, None]:
    """Measures each size, small to large, and one of them once more in tiles.

    Sizes and machine are checked when this is called, the work is done when the result is
    iterated; closing it stops the work.

    Args:
        sizes: long sides in pixels. If None, `SIZES`, without those for which a slow machine
            would take longer than 50 s in all.
        compute: where it runs; its ``memory`` does not count.

    Raises:
        SettingsError: a size or a machine that cannot be had.
        BenchmarkError: (while iterating) a row that could not be measured, for lack of memory
            for example.
    """
    for size in sizes or ():
        if not SMALLEST <= size <= LARGEST:
            raise SettingsError(f"size = {size}: must be {SMALLEST} to {LARGEST} pixels")
    compute = compute or Compute()
    compute.machine()
    if sizes is None:
        return _measure_sizes(SIZES, compute, end=monotonic() + _SECONDS, rounds=1)
    return _measure_sizes(sorted(set(sizes)), compute, end=math.inf, rounds=_ENOUGH_ROUNDS)


def _measure_sizes(
    sizes: Sequence[int], compute: Compute, *, end: float, rounds: int
) -> Generator[BenchmarkRow, None, None]:
    """The rows that can be expected to be done before ``end``, but at least the first."""
    whole: list[tuple[BenchmarkWork, BenchmarkRow]] = []
    with TemporaryDirectory(prefix="impasto-bench-") as folder:
        for size in sizes:
            if whole and monotonic() + _expected_seconds(size, whole[-1][1]) > end:
                break
            work = BenchmarkWork(size, compute, rounds, Path(folder))
            row = measure_in_child(work)
            whole.append((work, row))
            yield row
        for work, row in reversed(whole):
            if monotonic() + _expected_seconds_in_tiles(row) <= end or row is whole[0][1]:
                yield measure_in_child(work.in_tiles(row.floor_seconds))
                return


def _expected_seconds(size: int, smaller: BenchmarkRow) -> float:
    """How long a row will take: targets, one step and one floor, each in proportion."""
    pixels = (size / smaller.size) ** 2
    return _SECONDS_TO_START + pixels * (1.6 * smaller.step_seconds + smaller.floor_seconds)


def _expected_seconds_in_tiles(whole: BenchmarkRow) -> float:
    return _SECONDS_TO_START + 2.2 * whole.step_seconds


def measure_in_child(work: BenchmarkWork) -> BenchmarkRow:
    """Measures in a new process.

    Raises:
        BenchmarkError: it died.
    """
    inbox = Inbox()
    with Child(measure_row, inbox) as child:
        child.send(work)
        _, message = inbox.get()
    if isinstance(message, BenchmarkRow):
        return message
    assert isinstance(message, ChildEnded)
    reason = "killed, perhaps for lack of memory" if message.killed_by else message.last_words
    raise BenchmarkError(f"size {work.size} could not be measured ({reason or 'no word of why'})")
