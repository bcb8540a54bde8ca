"""The engine of a Ray cluster: one task for each picture, on whatever node is free."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from impasto.batch.input_files import read_local_files
from impasto.batch.order_painter import OrderPainter, describe_failure
from impasto.batch.worker_messages import (
    PaintingBegun,
    PictureFailed,
    PictureLost,
    WorkerMessage,
    WorkOrder,
)
from impasto.errors import SettingsError
from impasto.machine.compute import Compute
from impasto.machine.ray_cluster import enter_cluster, first_line, import_ray, is_on_gpus
from impasto.paths import without_part

_AHEAD = 2
"""Tasks beside those that fit on the cluster: Ray sends their inputs to the nodes meanwhile."""


class RayEngine:
    """Paints on a Ray cluster.

    A task asks for as many processors as it has threads, and on machines with graphics devices for
    one of these. Local input files travel with it, so that nodes need no shared folder; files that
    settings name (``color_from``, ``keep``, ``start``) and ``weights`` have to be there on every
    node. A process that Ray keeps from task to task keeps network and styles.

    Args:
        address: of the cluster; None for RAY_ADDRESS, or else a cluster on this machine that ends
            with the batch.
        compute: what each task computes with; one thread if it does not say.
        workers: pictures at a time; as many as fit on the cluster if None.

    Raises:
        MissingExtraError: Ray is not installed.
        OutputError: (when it is entered) no cluster can be reached.
    """

    distant = True

    def __init__(self, address: str | None, compute: Compute, workers: int | None) -> None:
        self._ray: Any = import_ray()
        if workers is not None and workers < 1:
            raise SettingsError(f"workers = {workers}: must be 1 or more")
        self._address = address
        self._threads = compute.threads or 1
        self._compute = replace(compute, threads=self._threads)
        self._asked = workers
        self._tasks: dict[Any, tuple[WorkOrder, float]] = {}
        self._fresh: list[WorkerMessage] = []
        self._task: Any = None

    @property
    def workers(self) -> int:
        """How many pictures are painted at a time, as large as the cluster is at the moment."""
        if self._asked is not None:
            return self._asked
        share, each = ("GPU", 1) if self._on_gpus else ("CPU", self._threads)
        return max(1, int(self._ray.cluster_resources().get(share, 1) // each))

    def __enter__(self) -> RayEngine:
        enter_cluster(self._address)
        self._task = self._ray.remote(
            num_cpus=0 if self._on_gpus else self._threads,
            num_gpus=1 if self._on_gpus else 0,
            max_retries=0,  # the driver tries again, and notes it
        )(_paint)
        return self

    def __exit__(self, *_: object) -> None:
        for reference in self._tasks:
            self._ray.cancel(reference, force=True)
        self._tasks.clear()
        self._ray.shutdown()

    def capacity(self, waiting: int) -> int:
        """So many tasks as fit, and a few more."""
        return max(0, self.workers + _AHEAD - len(self._tasks))

    def submit(self, order: WorkOrder) -> None:
        """Sends a task with its input files."""
        shipped = read_local_files((order.job.content, *map(without_part, order.job.styles)))
        reference = self._task.remote(replace(order, shipped=shipped), self._compute)
        self._tasks[reference] = order, time.monotonic()
        self._fresh.append(PaintingBegun(order.number, "ray"))

    def receive(self, timeout: float) -> Sequence[WorkerMessage]:
        """What tasks have brought, within so many seconds."""
        fresh, self._fresh = self._fresh, []
        if fresh or not self._tasks:
            return fresh
        ready, _ = self._ray.wait(
            list(self._tasks), num_returns=1, timeout=timeout, fetch_local=True
        )
        return [self._result(reference) for reference in ready]

    def _result(self, reference: Any) -> WorkerMessage:
        order, began = self._tasks.pop(reference)
        errors = self._ray.exceptions
        try:
            message: WorkerMessage = self._ray.get(reference)
            return message
        except errors.RayTaskError as error:
            return PictureFailed(order.number, f"{order.job.content}: {first_line(error)}")
        except errors.RayError as error:  # the worker, its node, or the object was lost
            return PictureLost(
                order.number, first_line(error), time.monotonic() - began, blamed=True
            )

    @functools.cached_property
    def _on_gpus(self) -> bool:
        return is_on_gpus(self._compute)


_painter_for = functools.cache(OrderPainter)
"""The painter of this process, which Ray keeps from task to task."""


def _paint(order: WorkOrder, compute: Compute) -> WorkerMessage:
    """The task: one picture. Runs in a process of a node."""
    painter = _painter_for(compute)
    try:  # nobody hears of its progress before it is done
        return painter.paint(order, painter.open_pictures(order), lambda _: None)()
    except Exception as error:  # one bad picture must not stop the rest
        return describe_failure(order, error)
