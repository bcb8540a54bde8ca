"""What an engine is to the driver of a batch: something that has work orders painted.

`dispatch_orders` feeds an engine, and tries again what was lost with a worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Protocol

from impasto.batch.worker_messages import (
    PictureFailed,
    PictureLost,
    PicturePainted,
    TimeMeasured,
    WorkerMessage,
    WorkOrder,
)

ATTEMPTS = 3
"""How many workers may die of a picture; one that kills them must end."""

SECONDS_BETWEEN_LOOKS = 0.25


class Engine(Protocol):
    """Has orders painted. A context manager: at its end no worker is left.

    Attributes:
        distant: whether its workers may be on other machines, and store results there themselves.
    """

    distant: bool

    @property
    def workers(self) -> int:
        """How many pictures are painted at a time."""

    def capacity(self, waiting: int) -> int:
        """How many more orders it takes at the moment, where so many wait."""

    def submit(self, order: WorkOrder) -> None:
        """Takes an order."""

    def receive(self, timeout: float) -> Sequence[WorkerMessage]:
        """What came from the workers, after so many seconds at the most."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *_: object) -> None: ...


def dispatch_orders(orders: Sequence[WorkOrder], engine: Engine) -> Iterator[WorkerMessage | None]:
    """Has all orders painted; yields what the workers say, and None where they are silent.

    An engine never holds many more orders than it has workers: the pictures in memory, and what is
    lost with a worker, stay few.
    """
    by_number = {order.number: order for order in orders}
    waiting = deque(orders)
    blamed = dict.fromkeys(by_number, 0)
    open_orders = set(by_number)
    while open_orders:
        for _ in range(min(engine.capacity(len(waiting)), len(waiting))):
            engine.submit(waiting.popleft())
        messages = engine.receive(SECONDS_BETWEEN_LOOKS)
        for message in messages:
            if message.number not in open_orders:
                continue  # a second word of what is settled
            if isinstance(message, PictureLost):
                blamed[message.number] += message.blamed
                yield message
                if blamed[message.number] < ATTEMPTS:
                    waiting.appendleft(by_number[message.number])
                    continue
                why = f"{message.why}, {ATTEMPTS} times; perhaps it needs more memory"
                message = PictureFailed(message.number, why)
            if isinstance(message, PicturePainted | PictureFailed | TimeMeasured):
                open_orders.discard(message.number)
            yield message
        if not messages:
            yield None
