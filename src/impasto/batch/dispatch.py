"""Feeds an engine, and tries again what was lost with a worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from impasto.batch.orders import Engine, Failed, Lost, Measured, Message, Order, Painted

ATTEMPTS = 3
"""How many workers may die of a picture; one that kills them must end."""

SECONDS_BETWEEN_LOOKS = 0.25


def worked(orders: Sequence[Order], engine: Engine) -> Iterator[Message | None]:
    """Has all orders painted; yields what the workers say, and None where they are silent.

    An engine never holds many more orders than it has workers: the pictures in memory, and what is
    lost with a worker, stay few.
    """
    by_number = {order.number: order for order in orders}
    waiting = deque(orders)
    blamed = dict.fromkeys(by_number, 0)
    open_orders = set(by_number)
    while open_orders:
        for _ in range(min(engine.room(len(waiting)), len(waiting))):
            engine.submit(waiting.popleft())
        messages = engine.receive(SECONDS_BETWEEN_LOOKS)
        for message in messages:
            if message.number not in open_orders:
                continue  # a second word of what is settled
            if isinstance(message, Lost):
                blamed[message.number] += message.blamed
                if blamed[message.number] < ATTEMPTS:
                    waiting.appendleft(by_number[message.number])
                    yield message
                    continue
                why = f"{message.why}, {ATTEMPTS} times; perhaps it needs more memory"
                yield message
                message = Failed(message.number, why)
            if isinstance(message, Painted | Failed | Measured):
                open_orders.discard(message.number)
            yield message
        if not messages:
            yield None


def trials(order: Order, count: int) -> list[Order]:
    """The same order for several workers at a time, as trials."""
    return [replace(order, number=number, trial=True) for number in range(count)]
