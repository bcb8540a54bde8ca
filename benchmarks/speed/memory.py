"""Peak memory of whole runs against what `impasto.painting.memory_plan` planned for them.

Each run is a process of its own: `impasto.stylize` with few iterations at every level, so that the
last level's history is as full as it gets. Its first step is not in the time: it fetches memory.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.measuring import describe_machine, machine_line
from benchmarks.own_process import call_in_own_process
from benchmarks.program import EXAMPLES, Parser, exit_code_of, whole_number
from impasto import Compute, iterate
from impasto.machine.peak_memory import peak_memory


def main() -> None:
    """Reads the command line, measures and prints."""
    parser = Parser(prog="memory", description=__doc__)
    parser.add_argument("--size", type=whole_number(16), action="append", help="default: 512")
    parser.add_argument(
        "--iterations", default="12,3", help="of each level, the last, 2 or more, for the rest"
    )
    parser.add_argument("--memory", help="as impasto's --memory")
    parser.add_argument("--precision", default="auto", help="as impasto's --precision")
    parser.add_argument("--output", type=Path, default="memory.png", help="where the picture goes")
    options = parser.parse_args()
    print(machine_line(describe_machine()))
    compute = Compute("cpu", options.precision, memory=options.memory)
    for size in options.size or [512]:
        line = call_in_own_process(
            paint, size, options.iterations, compute, options.output, name=f"size {size}"
        )
        print(line, flush=True)


def paint(size: int, iterations: str, compute: Compute, output: Path) -> str:
    """Paints in this process; one line of what it took."""
    pictures = EXAMPLES / "photographs" / "china.jpg", EXAMPLES / "styles" / "flow.jpg"
    for step in iterate(*pictures, size=size, iterations=iterations, compute=compute):
        if step.iteration == 1:
            begun = time.perf_counter()
    seconds = (time.perf_counter() - begun) / (step.iterations - 1)
    step.image.save(output, overwrite=True)
    plans = step.run.plans
    height, width = step.size
    how = f"tiles of {plans[-1].side}" if plans[-1].tiled else "whole"
    kept = "kept" if plans[-1].keep_content else "computed anew"
    return (
        f"{width}x{height}  {how}, content's features {kept}, history {plans[-1].history}:  "
        f"peak {peak_memory() or 0:.0f} MiB, planned {max(x.peak for x in plans) / 2**20:.0f} MiB, "
        f"{seconds / (width * height / 1e6):.2f} s per step and megapixel"
    )


if __name__ == "__main__":
    raise SystemExit(exit_code_of("memory", main))
