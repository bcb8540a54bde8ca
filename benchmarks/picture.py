"""Seconds for a finished picture with the default preset: whole process, and after warm-up.

The first figure is what a user waits for: `python -m impasto stylize`, from start to file. The
other leaves out start-up: `impasto.stylize` in this process after one picture of that size. On an
NVIDIA device that is device time, since every run ends with the picture in main memory.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from arguments import ROOT, BenchmarkError, Parser, exit_code_of, whole_number
from impasto import Compute, stylize
from measuring import describe_machine, machine_line


def seconds_of(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def process(arguments: list[str]) -> None:
    """One picture in a process of its own."""
    command = [sys.executable, "-m", "impasto", "stylize", *arguments, "--quiet", "--overwrite"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(done.stderr.strip())


def measure() -> None:
    """Reads the command line and does it."""
    parser = Parser(prog="picture.py", description=__doc__)
    examples = ROOT / "examples"
    parser.add_argument("--content", default=str(examples / "photographs" / "china.jpg"))
    parser.add_argument("--style", default=str(examples / "styles" / "flow.jpg"))
    parser.add_argument("--size", type=whole_number(16), default=512)
    parser.add_argument("--rounds", type=whole_number(1), default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--warm", action="store_true", help="measure only after warm-up")
    options = parser.parse_args()
    compute = Compute(options.device, options.precision)
    print(f"{machine_line(describe_machine())}; {compute.machine()}")

    def here() -> None:
        stylize(options.content, options.style, size=options.size, compute=compute)

    with tempfile.TemporaryDirectory() as folder:
        flags = ["--size", str(options.size), "--output", str(Path(folder) / "picture.png")]
        flags += ["--device", options.device, "--precision", options.precision]
        inputs = [options.content, options.style, *flags]
        if not options.warm:
            whole = [seconds_of(lambda: process(inputs)) for _ in range(options.rounds)]
            print(f"{options.size} px, whole process: {_median(whole)}", flush=True)
    here()
    warm = [seconds_of(here) for _ in range(options.rounds)]
    print(f"{options.size} px, after warm-up: {_median(warm)}")


def _median(seconds: list[float]) -> str:
    every = ", ".join(f"{value:.1f}" for value in seconds)
    return f"median {statistics.median(seconds):.2f} s of {every}"


if __name__ == "__main__":
    raise SystemExit(exit_code_of("picture.py", measure))
