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
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, NamedTuple


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


def main() -> None:
    """Works until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C means
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no message
    warnings.simplefilter("ignore")
    send = _Sender(outgoing)
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
    compute = pickle.load(incoming)
    threading.Thread(target=_read, args=(incoming, orders), daemon=True).start()
    painter = _ready(compute, send)
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


def _ready(compute: Any, send: Callable[[object], None]) -> Any:
    """The painter; None if there can be none, which is said."""
    from impasto.batch.painter import Painter
    from impasto.errors import ImpastoError

    try:
        machine = compute.machine()
    except ImpastoError as error:
        send(Hello("", "", str(error), type(error).__name__))
        return None
    send(Hello(str(machine), machine.device.type))
    return Painter(compute)


def _work(painter: Any, orders: queue.SimpleQueue[Any], send: Callable[[object], None]) -> None:
    """Paints; meanwhile one thread decodes the next order and another encodes the last one."""
    with ThreadPoolExecutor(1) as before, ThreadPoolExecutor(1) as after:
        ahead: tuple[Any, Future[Any]] | None = None
        while True:
            order, opening = ahead or _opening(painter, orders.get(), before)
            ahead = None
            following = _next(painter, orders, before)
            _paint(painter, order, opening, send, after)
            ahead = following or _next(painter, orders, before)


def _opening(painter: Any, order: Any, pool: ThreadPoolExecutor) -> tuple[Any, Future[Any]]:
    return order, pool.submit(painter.opened, order)


def _next(
    painter: Any, orders: queue.SimpleQueue[Any], pool: ThreadPoolExecutor
) -> tuple[Any, Future[Any]] | None:
    try:
        return _opening(painter, orders.get_nowait(), pool)
    except queue.Empty:
        return None


def _paint(
    painter: Any,
    order: Any,
    opening: Future[Any],
    send: Callable[[object], None],
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
        except Exception as error:
            send(failure(order, error))

    after.submit(last)
