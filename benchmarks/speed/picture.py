"""Seconds for a finished picture with the default preset: whole process, and after warm-up.

The first figure is what a user waits for: `python -m impasto stylize`, from start to file. The
other leaves out start-up: `impasto.stylize` in this process after one picture of that size. On an
NVIDIA device that is device time, since every run ends with the picture in main memory.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import describe_machine, machine_line
from benchmarks.own_process import run_process
from benchmarks.program import Parser, exit_code_of, whole_number
from benchmarks.speed.pair import add_pair_options
from impasto import Compute, stylize

STYLIZE = [sys.executable, "-m", "impasto", "stylize"]


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = Parser(prog="picture", description=__doc__)
    add_pair_options(parser)
    parser.add_argument("--rounds", type=whole_number(1), default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--warm", action="store_true", help="measure only after warm-up")
    options = parser.parse_args()
    content, style, size = options.content, options.style, options.size
    compute = Compute(options.device, options.precision)
    print(f"{machine_line(describe_machine())}; {compute.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--size", str(size), "--output", str(Path(folder) / "picture.png"), "--overwrite"]
        flags += ["--device", options.device, "--precision", options.precision, "--quiet"]
        command = [*STYLIZE, str(content), str(style), *flags]
        if not options.warm:
            whole = [
                seconds_of(lambda: run_process(command, "stylize")) for _ in range(options.rounds)
            ]
            print(f"{size} px, whole process: {_median(whole)}", flush=True)

    def paint_here() -> None:
        stylize(content, style, size=size, compute=compute)

    paint_here()
    warm = [seconds_of(paint_here) for _ in range(options.rounds)]
    print(f"{size} px, after warm-up: {_median(warm)}")


def seconds_of(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _median(seconds: list[float]) -> str:
    every = ", ".join(f"{value:.1f}" for value in seconds)
    return f"median {statistics.median(seconds):.2f} s of {every}"


if __name__ == "__main__":
    raise SystemExit(exit_code_of("picture", main))
