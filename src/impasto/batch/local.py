"""The local engine: worker processes of this machine."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import impasto.errors
from impasto.batch.orders import Began, Lost, Message, Moved, Order
from impasto.batch.worker import Hello, Opened, Opening
from impasto.errors import ImpastoError

if TYPE_CHECKING:
    from impasto.machine.compute import Compute

_AHEAD = 1
"""Orders that a worker has beside the one in work: it decodes them meanwhile."""

_TRIES = 3
"""How many workers in turn may fail to start before there are fewer."""


@dataclass
class _Worker:
    """A worker process as the engine sees it.

    Attributes:
        process: the process.
        words: what it wrote to standard error.
        orders: its orders by number, the one in work first.
        began: when it began with those that it paints or encodes.
        opening: those whose pictures it decodes.
        ready: whether it has said that it can work.
        refusal: what it said if it cannot.
    """

    process: subprocess.Popen[bytes]
    words: IO[bytes]
    orders: dict[int, Order] = field(default_factory=dict)
    began: dict[int, float] = field(default_factory=dict)
    opening: set[int] = field(default_factory=set)
    ready: bool = False
    refusal: Hello | None = None

    def last_words(self) -> str:
        """The last line that it wrote to standard error."""
        self.words.seek(0)
        lines = self.words.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


class LocalEngine:
    """Paints in processes of this machine; one whose process dies is replaced.

    Args:
        workers: how many; on a graphics device there is one, whatever was planned.
        compute: what each computes with; ``threads`` are those of one worker.
        fixed: whether the number was asked for and holds on a graphics device too.
        networks: files of networks that each loads before it begins; None is the embedded one.

    Raises:
        ImpastoError: (from `receive`) the workers cannot work at all.
    """

    def __init__(
        self,
        workers: int,
        compute: Compute,
        *,
        fixed: bool = False,
        networks: Sequence[str | None] = (None,),
    ) -> None:
        self._wanted, self._compute, self._fixed = workers, compute, fixed
        self._networks = tuple(networks)
        self._failures: int | None = None
        self._workers: dict[int, _Worker] = {}
        self._inbox: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._started = 0
        self.machine = ""

    @property
    def workers(self) -> int:
        """How many pictures are painted at a time."""
        return self._wanted

    def __enter__(self) -> LocalEngine:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends all workers at once, whatever they do."""
        for worker in self._workers.values():
            worker.process.kill()
        for worker in self._workers.values():
            worker.process.wait()
            worker.words.close()
        self._workers.clear()

    def room(self, waiting: int) -> int:
        """No worker gets an order ahead while that would leave another one idle."""
        ahead = _AHEAD if waiting > len(self._workers) else 0
        return sum(
            max(0, 1 + ahead - len(worker.orders))
            for worker in self._workers.values()
            if worker.ready
        )

    def submit(self, order: Order) -> None:
        """To the worker with the fewest orders."""
        ready = [worker for worker in self._workers.values() if worker.ready]
        worker = min(ready, key=lambda one: len(one.orders))
        worker.orders[order.number] = order
        self._send(worker, order)

    def receive(self, timeout: float) -> Sequence[Message]:
        """What the workers say, within so many seconds."""
        found: list[Message] = []
        try:
            found += self._heard(*self._inbox.get(timeout=timeout))
            while True:
                found += self._heard(*self._inbox.get_nowait())
        except queue.Empty:
            return found

    def _heard(self, number: int, message: Any) -> Sequence[Message]:
        worker = self._workers.get(number)
        if worker is None:
            return ()
        if message is None:
            return self._bury(number, worker)
        if isinstance(message, Hello):
            self._greeted(worker, message)
            return ()
        if isinstance(message, Opening | Opened):
            change = worker.opening.add if isinstance(message, Opening) else worker.opening.discard
            change(message.number)
            return ()
        if isinstance(message, Began):
            worker.began[message.number] = time.monotonic()
        elif not isinstance(message, Moved):
            worker.orders.pop(message.number, None)
            worker.began.pop(message.number, None)
        return [message]

    def _greeted(self, worker: _Worker, hello: Hello) -> None:
        if hello.error:
            worker.refusal = hello  # it ends now
            return
        worker.ready, self.machine, self._failures = True, hello.machine, 0
        if hello.device != "cpu" and not self._fixed:
            self._wanted = 1  # pictures at the same time would share the one device
        while len(self._workers) < self._wanted:
            self._start()

    def _bury(self, number: int, worker: _Worker) -> Sequence[Message]:
        """Its orders are lost; another worker takes its place."""
        code = _ended(worker.process)
        del self._workers[number]
        said = worker.last_words()
        worker.words.close()
        if not worker.ready:
            self._not_started(worker, said or f"exit code {code}")
            return ()
        killed = f"its worker was killed by {_signal(-code)}"
        why = killed if code < 0 else f"its worker died: {said}"
        now = time.monotonic()
        self._start()
        blamed = worker.opening or worker.began.keys()
        return [
            Lost(
                order,
                why,
                now - worker.began[order] if order in worker.began else None,
                order in blamed,
            )
            for order in worker.orders
        ]

    def _not_started(self, worker: _Worker, why: str) -> None:
        """Tries again some times, if workers could be started before; others may go on alone."""
        first = self._failures is None
        self._failures = (self._failures or 0) + 1
        if not first and self._failures < _TRIES:
            self._start()
        elif not self._workers:
            if worker.refusal is not None:
                kind = getattr(impasto.errors, worker.refusal.kind, ImpastoError)
                raise kind(worker.refusal.error)
            raise ImpastoError(f"no worker can be started ({why})")

    def _start(self) -> None:
        number, self._started = self._started, self._started + 1
        words = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker lives
        process = subprocess.Popen(
            [sys.executable, "-c", "from impasto.batch.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            env=_environment(self._compute.threads),
        )
        worker = _Worker(process, words)
        self._workers[number] = worker
        threading.Thread(
            target=_listen, args=(number, process.stdout, self._inbox), daemon=True
        ).start()
        self._send(worker, (self._compute, self._networks))

    def _send(self, worker: _Worker, message: object) -> None:
        stream = worker.process.stdin
        assert stream is not None
        try:
            pickle.dump(message, stream)
            stream.flush()
        except OSError:
            return  # it is dead, and the listener will say so


def _listen(
    number: int, stream: IO[bytes] | None, inbox: queue.SimpleQueue[tuple[int, Any]]
) -> None:
    assert stream is not None
    try:
        while True:
            inbox.put((number, pickle.load(stream)))
    except Exception:  # its end, or garbage, which unpickling answers with anything: it is over
        inbox.put((number, None))


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process that is about to end; one that is not was only garbled."""
    try:
        return process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _environment(threads: int | None) -> dict[str, str]:
    """That of a worker: the libraries' own threads must not be more than it was given."""
    own = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    paths = os.pathsep.join(path for path in sys.path if path)
    return {"GOMP_SPINCOUNT": "10000", **os.environ, **own, "PYTHONPATH": paths}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
