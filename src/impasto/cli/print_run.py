"""How a picture that may be a print begins: what it will be and take is said before the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from impasto.cli.print_flags import cluster_words, print_words, run_words
from impasto.errors import ClusterError
from impasto.objective.window_plan import Box, Windows
from impasto.painting.at_once import refuse_base
from impasto.painting.checkpoint import Checkpoint
from impasto.painting.cluster_estimate import estimate_on_cluster
from impasto.painting.planning import estimate_alone
from impasto.painting.proof_run import proof_steps, proof_windows, work_in_windows
from impasto.painting.synthesis import PreparedRun, Steps, prepare_run, start_run
from impasto.tasks.task import Task
from impasto.torch_state import with_torch_defaults


@with_torch_defaults
def begin_told(
    task: Task,
    saved: Checkpoint | None,
    notes: list[str],
    *,
    seen: Sequence[Box] | None = None,
    base: Any = None,
    **means: Any,
) -> Steps:
    """Checks and plans a run; of a print, says what it will be, and measures how long it will take.

    Args:
        task: what is to do.
        saved: the checkpoint to go on from.
        notes: what there is to say of it is added here.
        seen: what a proof is to show, in the result's pixels; None for the picture itself.
        base: see `BaseSource`.
        **means: ``weights``, ``compute`` and ``checkpoint`` as for `iterate`.

    Returns:
        The steps, none taken yet.

    Raises:
        As `iterate`.
    """
    if task.printed is not None:
        notes.append(print_words(task.printed, of_photograph=task.content is not None))
    if task.at_once:
        return start_run(task, saved=saved, base=base, **means)
    refuse_base(base)
    prepared = prepare_run(task, saved=saved, **means)
    windows = None if seen is None else proof_windows(prepared.run, seen)
    if task.printed is not None:
        notes += _expectations(prepared, windows)
    return prepared.steps() if seen is None else proof_steps(prepared, windows)


def _expectations(prepared: PreparedRun, windows: Windows | None) -> list[str]:
    """What the rest of a run is expected to take, in a line; none if nothing is left."""
    run, state = prepared.run, prepared.state
    level = state.level + state.level_done
    if level >= len(run.sizes):
        return []
    if run.crew is not None:
        try:
            return [cluster_words(estimate_on_cluster(run, level))]
        except ClusterError as error:  # it may find other workers
            return [f"how long it will take is not known: {error}"]
        except BaseException:
            run.crew.leave()
            raise
    last = None if windows is None else work_in_windows(run, windows)
    return [run_words(prepared, estimate_alone(run, level, last))]
