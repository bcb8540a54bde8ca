"""The engine that a name stands for."""

from __future__ import annotations

from typing import Literal

from impasto.batch.batch_job import BatchJob
from impasto.batch.engine import Engine
from impasto.batch.local_engine import LocalEngine
from impasto.batch.worker_count import choose_workers
from impasto.errors import SettingsError
from impasto.machine.compute import Compute

EngineName = Literal["local", "ray"]


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
