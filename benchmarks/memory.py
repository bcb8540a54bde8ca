"""Peak memory of whole runs against what `impasto.memory` planned for them.

Each run is a process of its own: `impasto.stylize` with few iterations at every level, so that the
last level's history is as full as it gets. Its first step is not in the time: it fetches memory.
"""

from __future__ import annotations

import json
import subprocess
import sys

from arguments import ROOT, BenchmarkError, Parser, exit_code_of, whole_number
from measuring import describe_machine, machine_line

_RUN = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from measuring import peak_resident_mib
from impasto import Compute, iterate
size, iterations, memory, precision = sys.argv[4:8]
compute = Compute("cpu", precision=precision, memory=memory or None)
for step in iterate(sys.argv[2], sys.argv[3], size=size, iterations=iterations, compute=compute):
    if step.iteration == 1:
        begun = time.perf_counter()
seconds = time.perf_counter() - begun
step.image.save(sys.argv[8], overwrite=True)
plan = step.run.plans[-1]
print(json.dumps({
    "width": step.size[1], "height": step.size[0], "side": plan.side if plan.tiled else 0,
    "keeps_content": plan.keep_content, "history": plan.history,
    "planned_mib": max(level.peak for level in step.run.plans) / 2**20,
    "peak_mib": peak_resident_mib(), "step_seconds": seconds / (step.iterations - 1),
}))
"""


def measure(size: int, iterations: str, memory: str, precision: str, output: str) -> None:
    """One run; prints one line."""
    pictures = ROOT / "examples" / "photographs" / "china.jpg", ROOT / "examples/styles/flow.jpg"
    arguments = [*map(str, pictures), str(size), iterations, memory, precision, output]
    command = [sys.executable, "-c", _RUN, str(ROOT / "benchmarks"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(done.stderr.strip().splitlines()[-1])
    row = json.loads(done.stdout)
    pixels = row["width"] * row["height"] / 1e6
    how = f"tiles of {row['side']}" if row["side"] else "whole"
    print(
        f"{row['width']}x{row['height']}  {how}, content's features "
        f"{'kept' if row['keeps_content'] else 'computed anew'}, history {row['history']}:  "
        f"peak {row['peak_mib']:.0f} MiB, planned {row['planned_mib']:.0f} MiB, "
        f"{row['step_seconds'] / pixels:.2f} s per step and megapixel",
        flush=True,
    )


def work() -> None:
    """Reads the command line and does it."""
    parser = Parser(prog="memory.py", description=__doc__)
    parser.add_argument("--size", type=whole_number(16), action="append", help="default: 512")
    parser.add_argument(
        "--iterations", default="12,3", help="of each level, the last, 2 or more, for the rest"
    )
    parser.add_argument("--memory", default="", help="as impasto's --memory")
    parser.add_argument("--precision", default="auto", help="as impasto's --precision")
    parser.add_argument("--output", default="memory.png", help="where the picture goes")
    options = parser.parse_args()
    print(machine_line(describe_machine()))
    for size in options.size or [512]:
        measure(size, options.iterations, options.memory, options.precision, options.output)


if __name__ == "__main__":
    raise SystemExit(exit_code_of("memory.py", work))
