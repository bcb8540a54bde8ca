"""A worker process of the local engine: work orders come in, messages go out.

While one order is painted, one thread decodes the pictures of the next and another one encodes the
result of the last.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from impasto.batch.order_painter import OrderPainter, describe_failure
from impasto.batch.worker_messages import (
    DecodingBegun,
    DecodingEnded,
    PaintingBegun,
    PictureFailed,
    PicturePainted,
    WorkerReady,
    WorkerRefused,
    WorkOrder,
)
from impasto.errors import ImpastoError
from impasto.machine.compute import Compute
from impasto.machine.processes import Parent
from impasto.tasks.task import Task


@dataclass(frozen=True)
class WorkerStart:
    """What a worker process hears first.

    Attributes:
        compute: what it computes with.
        networks: files of networks that it loads before it begins; None is the embedded one.
    """

    compute: Compute
    networks: Sequence[str | None]


def paint_orders(parent: Parent) -> None:
    """Paints the orders that come, until the parent ends it. Runs in the worker process."""
    warnings.simplefilter("ignore")
    start: WorkerStart = parent.receive()
    try:
        machine = start.compute.machine()
        painter = OrderPainter(start.compute)
        for network in start.networks:
            painter.load_network(network)
    except ImpastoError as error:
        parent.send(WorkerRefused(str(error), type(error).__name__))
        return
    parent.send(WorkerReady(str(machine), machine.device.type))
    with ThreadPoolExecutor(1) as before, ThreadPoolExecutor(1) as after:
        _Workshop(painter, parent, before, after).run()


@dataclass(frozen=True)
class _DecodedOrder:
    """An order whose pictures are decoded, or are just being decoded.

    Attributes:
        order: the order.
        task: what there is to do, or why it cannot be done.
    """

    order: WorkOrder
    task: Future[Task]


@dataclass(frozen=True)
class _Workshop:
    """A painter with a thread before it and one after it.

    Attributes:
        painter: paints, in the main thread.
        parent: sends orders, hears messages.
        before: decodes pictures.
        after: encodes and stores results.
    """

    painter: OrderPainter
    parent: Parent
    before: ThreadPoolExecutor
    after: ThreadPoolExecutor

    def run(self) -> None:
        """Paints one order after the other; the next one is being decoded meanwhile."""
        current: _DecodedOrder | None = None
        while True:
            current = current or self._decode(self.parent.receive())
            following = self._decode_what_waits()
            self._paint(current)
            current = following or self._decode_what_waits()

    def _decode_what_waits(self) -> _DecodedOrder | None:
        order: WorkOrder | None = self.parent.receive_now()
        return None if order is None else self._decode(order)

    def _decode(self, order: WorkOrder) -> _DecodedOrder:
        def decode() -> Task:
            self.parent.send(DecodingBegun(order.number))
            try:
                return self.painter.open_pictures(order)
            finally:
                self.parent.send(DecodingEnded(order.number))

        return _DecodedOrder(order, self.before.submit(decode))

    def _paint(self, decoded: _DecodedOrder) -> None:
        order = decoded.order
        self.parent.send(PaintingBegun(order.number, str(os.getpid())))
        try:
            task = decoded.task.result()
            if order.trial:
                self.parent.send(self.painter.measure(order, task))
                return
            finish = self.painter.paint(order, task, self.parent.send)
        except Exception as error:  # one bad picture must not stop the rest
            self.parent.send(describe_failure(order, error))
            return
        self.after.submit(self._finish, order, finish)

    def _finish(
        self, order: WorkOrder, finish: Callable[[], PicturePainted | PictureFailed]
    ) -> None:
        try:
            self.parent.send(finish())
        except Exception as error:  # unsaid, the driver would wait for this picture for ever
            self.parent.send(describe_failure(order, error))
