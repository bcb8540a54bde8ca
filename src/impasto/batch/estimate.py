"""How long a batch will take, from a few steps of one of its pictures on this machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from impasto.batch.batch_job import BatchJob
from impasto.batch.engine import Engine, dispatch_orders
from impasto.batch.worker_messages import PictureFailed, TimeMeasured, WorkOrder
from impasto.tasks.levels import level_iterations, level_sizes

_SIDE = 1024  # of results that are as large as their contents: unknown before they are opened
_TRIES = 3


@dataclass(frozen=True)
class TimeEstimate:
    """How long a batch will take.

    Attributes:
        seconds: for all jobs.
        each: for the picture that was measured, beside as many others as there are workers.
        machine: what it was measured with.
    """

    seconds: float
    each: float
    machine: str


def estimate_time(jobs: Sequence[BatchJob], engine: Engine) -> TimeEstimate | None:
    """Measures a typical picture in every worker at once; None where none can be painted.

    Other pictures are taken to differ by their pixels and iterations alone.

    Args:
        jobs: what there is to do.
        engine: paints; left running.
    """
    ordered = sorted(jobs, key=work_of)
    middle = len(ordered) // 2
    for job in [*ordered[middle:], *ordered[:middle]][:_TRIES]:
        found = _measure_in_all_workers(job, engine)
        if found:
            each = sum(one.seconds for one in found) / len(found)
            whole = sum(map(work_of, jobs)) / work_of(job) * each
            return TimeEstimate(whole / engine.workers, each, found[0].machine)
    return None


def work_of(job: BatchJob) -> float:
    """Pixels times iterations of all levels, of a square picture."""
    side = job.settings.size or _SIDE
    sizes = level_sizes((side, side), job.settings)
    counts = level_iterations(len(sizes), job.settings)
    return sum(count * math.prod(size) for count, size in zip(counts, sizes, strict=True))


def _measure_in_all_workers(job: BatchJob, engine: Engine) -> list[TimeMeasured]:
    trials = [WorkOrder(number, job, trial=True) for number in range(engine.workers)]
    found: list[TimeMeasured] = []
    for message in dispatch_orders(trials, engine):
        if isinstance(message, TimeMeasured):
            found.append(message)
        elif isinstance(message, PictureFailed):
            return []
    return found
