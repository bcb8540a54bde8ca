"""The command that measures: bench."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from impasto.cli.run_flags import ComputeFlags
from impasto.cli.standard_error import can_redraw
from impasto.cli.tables import AsJson, print_json, print_table
from impasto.errors import SettingsError

if TYPE_CHECKING:
    from impasto.diagnostics.bench_row import BenchmarkRow
    from impasto.machine.compute import Compute

_ERASE = "\r\x1b[K"


Sizes = Annotated[
    str | None,
    Parameter(
        metavar="N,N...",
        show_default="256,512,1024",
        help="Long sides in pixels to measure, in 4:3. Those of the default that would take too "
        "long are left out; what is given here is measured however long it takes.",
    ),
]


def bench(
    *, sizes: Sizes = None, json: AsJson = False, machine: ComputeFlags = ComputeFlags()
) -> None:
    """Behind ``impasto bench``; see `COMMANDS`."""
    chosen = None if sizes is None else _numbers(sizes)

    from impasto.diagnostics.bench import SIZES
    from impasto.machine.compute import Compute

    compute = Compute(machine.device, machine.precision, machine.threads)
    expected = sorted(set(chosen or SIZES))
    rows = _measured(chosen, compute, expected)
    if json:
        print_json([asdict(row) for row in rows])
        return
    print(f"{compute.machine()}\n")
    print_table([_HEADS, *map(_cells, rows)])
    print("\n" + "\n".join(_notes(rows, expected)))


def _measured(
    chosen: Sequence[int] | None, compute: Compute, expected: Sequence[int]
) -> list[BenchmarkRow]:
    """The rows, one by one as their progress is told."""
    from impasto.diagnostics.bench import bench as measure

    rows: list[BenchmarkRow] = []
    with closing(measure(chosen, compute)) as measured, _progress() as say:
        say(f"measuring {expected[0]} px")
        for row in measured:
            rows.append(row)
            place = f"{len(rows) + 1} of {len(expected) + 1}"
            say(f"{row.size} px: {row.step_seconds:.3g} s a step; measuring {place}")
    return rows


_HEADS = ("size", "worked on", "s a step", "s bare convolutions", "ratio", "peak memory", "rounds")


def _cells(row: BenchmarkRow) -> tuple[str, ...]:
    return (
        f"{row.width} x {row.height}",
        f"in tiles of {row.side}" if row.tiled else "whole",
        f"{row.step_seconds:.3g}",
        f"{row.floor_seconds:.3g}",
        f"{row.ratio:.2f}",
        "unknown" if row.peak_mib is None else f"{row.peak_mib:,.0f} MiB",
        str(row.rounds),
    )


def _notes(rows: Sequence[BenchmarkRow], expected: Sequence[int]) -> Iterator[str]:
    """What one must know to read the table."""
    yield (
        "A step is one evaluation of the default preset's objective and one step of L-BFGS. The "
        "bare\nconvolutions, there and back, are PyTorch's own. Medians of the rounds; peaks of "
        "whole processes."
    )
    if rows[0].device == "cpu" and rows[0].precision == "float32":
        yield (
            "In float32 on processors impasto convolves by Winograd's algorithm, in fewer "
            "multiplications\nthan PyTorch: the ratio can be below 1."
        )
    for row in rows:
        if row.tiled_difference is not None:
            yield (
                f"Worked on in tiles, {row.size} px have the same gradient but for "
                f"{row.tiled_difference:.1e} of its length."
            )
    measured = {row.size for row in rows}
    late = [str(size) for size in expected if size not in measured]
    if late:
        yield f"Left out to stay under 50 s; it can be had with --sizes {','.join(late)}"


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Something to say how far it is: one line on a terminal, in the end gone; else nothing."""
    terminal = can_redraw()

    def say(text: str) -> None:
        if terminal:
            print(f"{_ERASE}{text}", end="", file=sys.stderr, flush=True)

    try:
        yield say
    finally:
        say("")


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise SettingsError(f"sizes = {text!r}: should be like 512, or 256,512")
    return [int(part) for part in parts]
