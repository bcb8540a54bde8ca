"""The engine that a name stands for, and how many workers serve throughput best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from impasto.batch.batch_job import BatchJob
from impasto.batch.engine import Engine
from impasto.batch.local_engine import LocalEngine
from impasto.errors import SettingsError
from impasto.machine.compute import Compute
from impasto.machine.processors import usable_processors
from impasto.machine.worker_memory import memory_of_each, workers_that_fit

EngineName = Literal["local", "ray"]

_UNKNOWN_SIDE = 2048  # of results that are as large as their contents


def choose_engine(
    name: str,
    jobs: list[BatchJob],
    workers: int | None,
    compute: Compute | None,
    address: str | None = None,
) -> Engine:
    """The engine of a name.

    Args:
        name: ``local`` or ``ray``.
        jobs: what it is to paint.
        workers: how many pictures at a time.
        compute: what each worker computes with.
        address: of a Ray cluster.

    Raises:
        SettingsError: an unknown name, or a number of workers out of range.
        MissingExtraError: ray, and it is not installed.
    """
    if name == "local":
        count, each = choose_workers(jobs, workers, compute)
        networks = sorted({job.weights for job in jobs}, key=str)
        return LocalEngine(count, each, fixed=workers is not None, networks=networks)
    if name == "ray":
        from impasto.batch.ray_engine import RayEngine

        return RayEngine(address, compute or Compute(), workers)
    raise SettingsError(f"engine = {name!r}: must be local or ray")


def choose_workers(
    jobs: Sequence[BatchJob], workers: int | None, compute: Compute | None
) -> tuple[int, Compute]:
    """Workers, and what each computes with.

    Pictures do not wait for one another, threads of one picture do: one worker for each processor,
    with one thread, serves throughput best (docs/decisions/0015-batches.md). Where memory does not
    hold so many there are fewer, with more threads each.

    Args:
        jobs: what is to be painted: the largest decides about memory.
        workers: how many, if not so many as serve best.
        compute: what the user asks for; ``threads`` and ``memory`` are those of one worker.

    Raises:
        SettingsError: a number of workers out of range.
    """
    compute = compute or Compute()
    here = usable_processors()
    if workers is not None and not 1 <= workers <= 4 * here:
        raise SettingsError(
            f"workers = {workers}: must be 1 to {4 * here}, four for each processor here"
        )
    if workers is None:
        side = max((job.settings.size or _UNKNOWN_SIDE for job in jobs), default=512)
        most = max(1, here // (compute.threads or 1))
        workers = min(most, workers_that_fit(side * side), len(jobs) or 1)
    threads = compute.threads or max(1, here // workers)
    memory = compute.memory or memory_of_each(workers)
    return workers, replace(compute, threads=threads, memory=memory)
