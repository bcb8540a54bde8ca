"""A worker process of the local engine.

Orders come in by standard input and messages go out by standard output, pickled. It ends when
standard input does: with its driver, however that ended.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, NamedTuple, TypeAlias

_Send: TypeAlias = Callable[[object], None]


class Hello(NamedTuple):
    """The first message of a worker.

    Attributes:
        machine: what it computes with.
        device: the kind of device, such as ``cpu``.
        error: why it cannot work; empty if it can.
        kind: the name of the error's class.
    """

    machine: str
    device: str
    error: str = ""
    kind: str = ""


class Opening(NamedTuple):
    """It decodes an order's pictures, perhaps while it paints another order."""

    number: int


class Opened(NamedTuple):
    """It has decoded an order's pictures, or found that they cannot be."""

    number: int


def main() -> None:
    """Works until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C means
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no message
    warnings.simplefilter("ignore")
    send = _Sender(outgoing)
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
    compute, networks = pickle.load(incoming)
    threading.Thread(target=_read, args=(incoming, orders), daemon=True).start()
    painter = _ready(compute, networks, send)
    if painter is not None:
        _work(painter, orders, send)


class _Sender:
    """Sends messages, from any thread."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, message: object) -> None:
        with self._lock:
            try:
                pickle.dump(message, self._stream)
                self._stream.flush()
            except BrokenPipeError:
                os._exit(1)  # nobody is there any more


def _read(stream: IO[bytes], orders: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            orders.put(pickle.load(stream))
    except (EOFError, pickle.UnpicklingError, OSError):
        os._exit(0)  # at once: the driver is gone, or wants no more


def _ready(compute: Any, networks: Sequence[str | None], send: _Send) -> Any:
    """The painter, its networks loaded; None if there can be none, which is said."""
    from impasto.batch.painter import Painter
    from impasto.errors import ImpastoError

    try:
        machine = compute.machine()
        painter = Painter(compute)
        for network in networks:
            painter.network(network)
    except ImpastoError as error:
        send(Hello("", "", str(error), type(error).__name__))
        return None
    send(Hello(str(machine), machine.device.type))
    return painter


def _work(painter: Any, orders: queue.SimpleQueue[Any], send: _Send) -> None:
    """Paints; meanwhile one thread decodes the next order and another encodes the last one."""
    with ThreadPoolExecutor(1) as before, ThreadPoolExecutor(1) as after:

        def opened(order: Any) -> tuple[Any, Future[Any]]:
            return order, before.submit(_opened, painter, order, send)

        ahead: tuple[Any, Future[Any]] | None = None
        while True:
            order, opening = ahead or opened(orders.get())
            ahead = None
            following = _next(orders, opened)
            _paint(painter, order, opening, send, after)
            ahead = following or _next(orders, opened)


def _opened(painter: Any, order: Any, send: _Send) -> Any:
    send(Opening(order.number))
    try:
        return painter.opened(order)
    finally:
        send(Opened(order.number))


def _next(
    orders: queue.SimpleQueue[Any], opened: Callable[[Any], tuple[Any, Future[Any]]]
) -> tuple[Any, Future[Any]] | None:
    try:
        return opened(orders.get_nowait())
    except queue.Empty:
        return None


def _paint(
    painter: Any,
    order: Any,
    opening: Future[Any],
    send: _Send,
    after: ThreadPoolExecutor,
) -> None:
    from impasto.batch.orders import Began
    from impasto.batch.painter import failure

    send(Began(order.number, str(os.getpid())))
    try:
        task = opening.result()
        if order.trial:
            send(painter.measured(order, task))
            return
        finish = painter.painted(order, task, send)
    except Exception as error:  # one bad picture must not stop the rest
        send(failure(order, error))
        return

    def last() -> None:
        try:
            send(finish())
        except Exception as error:  # unsaid, the driver would wait for this picture for ever
            send(failure(order, error))

    after.submit(last)
