"""How long a batch will take, from a few steps of one of its pictures on this machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from impasto.batch.batch_job import BatchJob
from impasto.batch.engine import Engine, dispatch_orders
from impasto.batch.worker_messages import PictureFailed, TimeMeasured, WorkOrder
from impasto.feedforward.model import REPAINTED_SIDE
from impasto.settings.presets import AT_ONCE
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


def estimate_time(
    jobs: Sequence[BatchJob], engine: Engine
) -> tuple[TimeEstimate | None, dict[str, str]]:
    """Measures a typical picture in every worker at once.

    Other pictures are taken to differ by their pixels and iterations alone.

    Args:
        jobs: what there is to do.
        engine: paints; left running.

    Returns:
        The estimate, None where none of some pictures can be painted; and why those that were
        tried cannot, by the name of the result.
    """
    ordered = sorted(jobs, key=work_of)
    middle = len(ordered) // 2
    errors: dict[str, str] = {}
    for job in [*ordered[middle:], *ordered[:middle]][:_TRIES]:
        found, error = _measure_in_all_workers(job, engine)
        if found:
            each = sum(one.seconds for one in found) / len(found)
            whole = sum(work_of(one) for one in jobs if one.name not in errors)
            seconds = whole / work_of(job) * each / engine.workers
            return TimeEstimate(seconds, each, found[0].machine), errors
        errors[job.name] = error
    return None, errors


def work_of(job: BatchJob) -> float:
    """Pixels times iterations of all levels, of a square picture; where a network paints, those of
    its largest painting and of the result.
    """
    side = job.settings.size or _SIDE
    if job.settings.preset == AT_ONCE:
        return float(min(side, REPAINTED_SIDE) ** 2 + side**2)
    sizes = level_sizes((side, side), job.settings)
    counts = level_iterations(len(sizes), job.settings)
    return sum(count * math.prod(size) for count, size in zip(counts, sizes, strict=True))


def _measure_in_all_workers(job: BatchJob, engine: Engine) -> tuple[list[TimeMeasured], str]:
    """What each worker measured; or nothing, and why the job cannot be painted."""
    trials = [WorkOrder(number, job, trial=True) for number in range(engine.workers)]
    found: list[TimeMeasured] = []
    for message in dispatch_orders(trials, engine):
        if isinstance(message, TimeMeasured):
            found.append(message)
        elif isinstance(message, PictureFailed):
            return [], message.error
    return found, ""
