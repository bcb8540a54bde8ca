"""The command line: ``python -m benchmarks.quality``."""

from benchmarks.program import exit_code_of
from benchmarks.quality.commands import PROGRAM, main

raise SystemExit(exit_code_of(PROGRAM, main))
