"""The local engine: worker processes of this machine."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import impasto.errors
from impasto.batch.worker_messages import (
    DecodingBegun,
    DecodingEnded,
    PaintingBegun,
    PaintingProgress,
    PictureLost,
    WorkerMessage,
    WorkerReady,
    WorkerRefused,
    WorkOrder,
)
from impasto.batch.worker_process import WorkerStart, paint_orders
from impasto.errors import ImpastoError
from impasto.machine.processes import Child, ChildEnded, Inbox

if TYPE_CHECKING:
    from impasto.machine.compute import Compute

_AHEAD = 1
"""Orders that a worker has beside the one in work: it decodes them meanwhile."""

_TRIES = 3
"""How many workers in turn may fail to start before there are fewer."""


@dataclass
class _Worker:
    """What the engine knows of a worker process.

    Attributes:
        orders: its orders by number, the one in work first.
        began: when it began with those that it paints or encodes.
        decoding: those whose pictures it decodes.
        ready: whether it has said that it can work.
        refusal: what it said if it cannot.
    """

    orders: dict[int, WorkOrder] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    decoding: set[int] = field(default_factory=set)
    ready: bool = False
    refusal: WorkerRefused | None = None

    def note(self, message: WorkerMessage) -> None:
        """Notes when an order is begun, and that it is no more with this worker."""
        if isinstance(message, PaintingBegun):
            self.began[message.number] = time.monotonic()
        elif not isinstance(message, PaintingProgress):
            self.orders.pop(message.number, None)
            self.began.pop(message.number, None)

    def lost_orders(self, why: str) -> list[PictureLost]:
        """Its orders, as messages, after its death. One that it decoded is to blame if any was."""
        now = time.monotonic()
        lost = {order: now - began for order, began in self.began.items()}
        blamed = self.decoding or self.began.keys()
        return [PictureLost(order, why, lost.get(order), order in blamed) for order in self.orders]


class LocalEngine:
    """Paints in processes of this machine; one whose process dies is replaced.

    Args:
        workers: how many; on a graphics device there is one, whatever was planned.
        compute: what each computes with; ``threads`` are those of one worker.
        fixed: whether the number was asked for and holds on a graphics device too.
        networks: files of networks that each loads before it begins; None is the embedded one.

    Attributes:
        workers: how many pictures are painted at a time.

    Raises:
        ImpastoError: (from `receive`) the workers cannot work at all.
    """

    distant = False

    def __init__(
        self,
        workers: int,
        compute: Compute,
        *,
        fixed: bool = False,
        networks: Sequence[str | None] = (None,),
    ) -> None:
        self.workers, self._fixed = workers, fixed
        self._start_message = WorkerStart(compute, tuple(networks))
        self._failures: int | None = None
        self._workers: dict[Child, _Worker] = {}
        self._inbox = Inbox()

    def __enter__(self) -> LocalEngine:
        self._start_worker()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends all workers at once, whatever they do."""
        for child in self._workers:
            child.kill()
        for child in self._workers:
            child.end()
        self._workers.clear()

    def capacity(self, waiting: int) -> int:
        """No worker gets an order ahead while that would leave another one idle."""
        ahead = _AHEAD if waiting > len(self._workers) else 0
        return sum(
            max(0, 1 + ahead - len(worker.orders))
            for worker in self._workers.values()
            if worker.ready
        )

    def submit(self, order: WorkOrder) -> None:
        """To the worker with the fewest orders."""
        ready = [child for child, worker in self._workers.items() if worker.ready]
        child = min(ready, key=lambda one: len(self._workers[one].orders))
        self._workers[child].orders[order.number] = order
        child.send(order)

    def receive(self, timeout: float) -> Sequence[WorkerMessage]:
        """What the workers say, within so many seconds."""
        found: list[WorkerMessage] = []
        try:
            found += self._hear(*self._inbox.get(timeout=timeout))
            while True:
                found += self._hear(*self._inbox.get_nowait())
        except queue.Empty:
            return found

    def _hear(self, child: Child, message: Any) -> Sequence[WorkerMessage]:
        """Takes note of a message; returns what of it is for the driver."""
        worker = self._workers.get(child)
        if worker is None:
            return ()
        match message:
            case ChildEnded():
                return self._replace(child, message)
            case WorkerReady():
                self._greet(worker, message)
            case WorkerRefused():
                worker.refusal = message  # it ends now
            case DecodingBegun():
                worker.decoding.add(message.number)
            case DecodingEnded():
                worker.decoding.discard(message.number)
            case _:
                worker.note(message)
                return [message]
        return ()

    def _greet(self, worker: _Worker, message: WorkerReady) -> None:
        """Gives a worker that has started its place, and starts those that are still wanted."""
        worker.ready, self._failures = True, 0
        if message.device != "cpu" and not self._fixed:
            self.workers = 1  # pictures at the same time would share the one device
        while len(self._workers) < self.workers:
            self._start_worker()

    def _replace(self, child: Child, ended: ChildEnded) -> Sequence[WorkerMessage]:
        """Starts another worker in the place of a dead one, whose orders are lost."""
        worker = self._workers.pop(child)
        killed = f"its worker was killed by {ended.killed_by}"
        why = killed if ended.killed_by else f"its worker died: {ended.last_words}"
        lost = worker.lost_orders(why)
        child.end()
        if not worker.ready:
            self._note_failed_start(worker, ended.last_words or f"exit code {ended.code}")
            return ()
        self._start_worker()
        return lost

    def _note_failed_start(self, worker: _Worker, why: str) -> None:
        """Tries again some times, if workers could be started before; others may go on alone."""
        first = self._failures is None
        self._failures = (self._failures or 0) + 1
        if not first and self._failures < _TRIES:
            self._start_worker()
        elif not self._workers:
            if worker.refusal is not None:
                kind = getattr(impasto.errors, worker.refusal.kind, ImpastoError)
                raise kind(worker.refusal.error)
            raise ImpastoError(f"no worker can be started ({why})")

    def _start_worker(self) -> None:
        child = Child(paint_orders, self._inbox, environment=self._environment())
        self._workers[child] = _Worker()
        child.send(self._start_message)

    def _environment(self) -> dict[str, str]:
        """Variables for a worker: the libraries' own threads must not be more than it was given."""
        threads = self._start_message.compute.threads
        own = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
        return {"GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "10000"), **own}
