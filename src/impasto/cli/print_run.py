"""How a print begins: what it will be and take is said before the work."""

from __future__ import annotations

from typing import Any

from impasto.cli.print_flags import print_words, run_words
from impasto.painting.at_once import refuse_base
from impasto.painting.checkpoint import Checkpoint
from impasto.painting.planning import estimate_run
from impasto.painting.synthesis import Steps, prepare_run, start_run
from impasto.tasks.task import Task
from impasto.torch_state import with_torch_defaults


@with_torch_defaults
def begin_print(
    task: Task,
    saved: Checkpoint | None,
    notes: list[str],
    *,
    base: Any = None,
    **means: Any,
) -> Steps:
    """Checks and plans a run, and measures how long it will take.

    Args:
        task: what is to do.
        saved: the checkpoint to go on from.
        notes: what there is to say of it is added here.
        base: see `BaseSource`.
        **means: ``weights``, ``compute`` and ``checkpoint`` as for `iterate`.

    Returns:
        The steps, none taken yet.

    Raises:
        As `iterate`.
    """
    if task.printed is not None:
        notes.append(print_words(task.printed))
    if task.at_once:
        return start_run(task, saved=saved, base=base, **means)
    refuse_base(base)
    prepared = prepare_run(task, saved=saved, **means)
    if prepared.run.crew is None:  # of a cluster --dry-run tells
        done = prepared.state.level + prepared.state.level_done
        if done < len(prepared.run.sizes):
            notes.append(run_words(prepared, estimate_run(prepared.run, done)))
    return prepared.steps()
