"""Proves that a change of the code changes no picture: the same small results, before and after.

Run with the Python of either version, or name its folder of programs with ``--impasto``::

    python scripts/compare_pictures make FOLDER [--impasto BIN]     # every result, and checksums
    python scripts/compare_pictures compare A/checksums.json B/checksums.json
    python scripts/compare_pictures keep FOLDER [--impasto OLD]     # what a later version opens
    python scripts/compare_pictures open FOLDER [--impasto NEW]     # ... and whether it does

Only the console script and the names of ``import impasto`` are used. What depends on the clock, on
process numbers or on random names is left out of the texts; `without_chance` has it all.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from cases import STEADY
from checksums import compare
from kept import keep, open_kept
from results import make, paint


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("action", choices=["make", "compare", "keep", "open", "paint"])
    parser.add_argument("names", nargs="+", help="a folder; of compare two files of checksums")
    parser.add_argument("--impasto", type=Path, help="folder of the programs of another version")
    options = parser.parse_args()
    if options.impasto is not None:
        python = str(options.impasto.absolute() / "python")
        script = str(Path(__file__).resolve().parent)
        os.execv(python, [python, script, options.action, *options.names])
    os.environ.update(STEADY)
    # A shell starts work in the background with Ctrl-C ignored; the runs below are to hear it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    names = [Path(name).absolute() for name in options.names]
    if options.action == "compare":
        sys.exit(compare(*names) > 0)
    if options.action == "open":
        sys.exit(open_kept(names[0]) > 0)
    if options.action == "paint":
        paint(options.names[0])
    else:
        {"make": make, "keep": keep}[options.action](names[0])


if __name__ == "__main__":
    main()
