"""The command line. `main` is the console script; everything else is imported when it runs.

To see how a command works, read `commands` (what there is), `exit_codes` (how one is run), then
`painting_commands` and `watched_run` (what `impasto stylize` does).

- `commands`, `help_pages`: the list of commands, and the pages made from it
- `exit_codes`, `error_words`, `interruption`: what becomes of errors and of Ctrl-C
- `standard_error`: what is said survives a terminal that is gone
- `settings_flags`: flags from the settings model; `run_flags`, `checkpoint_flags`: all other flags
- `style_arguments`: the styles, regions and maps of a command line
- `painting_commands`, `sheet_commands`, `batch_command`, `video_command`, `studio_command`: what
  paints
- `proof_command`, `print_flags`, `print_run`: proofs, and what is said before a print
- `fact_commands`, `bench_command`: commands that tell, by way of `tables`
- `watched_run`, `progress`: a run of one picture or sheet, and what is said meanwhile
- `finished_files`: where its files go when they cannot go where they were asked for
- `batch_display`, `film_display`, `training_display`: what is said while a batch, a film or a
  network is worked on
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from impasto.cli.interruption import interruption
from impasto.cli.standard_error import open_missing_streams, steadfast_standard_error


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: what stands after ``impasto`` on the command line; ``sys.argv`` if None.

    Returns:
        The exit code: 0 done, 1 the run failed, 2 asked for something impossible, 129 hung up, 130
        interrupted.
    """
    # Waiting threads spin for milliseconds; beside another busy process that made a step three
    # times slower. Only counts before torch is imported; see docs/decisions/0006-engine.md.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    open_missing_streams()
    # Even the imports below take a moment in which Ctrl-C must not print a traceback.
    with interruption, steadfast_standard_error():
        try:
            from impasto.cli.exit_codes import run_command

            return run_command(sys.argv[1:] if arguments is None else arguments)
        except KeyboardInterrupt:
            print("impasto: interrupted; nothing was written", file=sys.stderr)
            return interruption.exit_code
        finally:
            if arguments is None and interruption.requested:
                interruption.ignore_more()
