"""Child processes of Python that get work, talk, and may die.

A parent starts a child on a function of a module, which the child imports. Both send each other
whatever can be pickled::

    inbox = Inbox()
    with Child(work, inbox) as child:  # work: a function at the top of a module
        child.send(order)
        _, message = inbox.get()       # what the child sent, or ChildEnded

    def work(parent: Parent) -> None:  # runs in the child, which ends when this returns
        while True:
            parent.send(painted(parent.receive()))

Three rules hold for every child:

- The last message in the inbox is `ChildEnded`, however the child's process came to its end.
- A child ends when its parent does, even by ``kill -9`` and in the middle of a computation.
- Ctrl-C and a closed terminal are the parent's business: the child ignores them, and the parent
  ends the child.

Messages travel by the child's standard input and output, so that it works on every system. What
libraries print in the child goes to standard error. A new interpreter is started and the process
is not forked: threads and graphics devices do not survive a fork. `multiprocessing` would import
the parent's main script in every child, which starts a script without a guard anew.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any

_START = "from impasto.machine.processes import run_child; run_child()"
_SECONDS_TO_END = 5


@dataclass(frozen=True)
class ChildEnded:
    """The last message of a child: its process is gone.

    Attributes:
        code: its exit code; below 0 the number of the signal that killed it.
        last_words: the last line that it wrote to standard error, of a traceback for example;
            empty if there is none, or if standard error was shown.
    """

    code: int
    last_words: str

    @property
    def killed_by(self) -> str:
        """The name of the signal that killed it, such as ``SIGKILL``; empty if none did."""
        if self.code >= 0:
            return ""
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"


class Inbox(queue.SimpleQueue["tuple[Child, Any]"]):
    """Where a parent hears its children: pairs of a child and its message.

    Several children may share one. ``get(timeout=seconds)`` raises `queue.Empty` where none came.
    """


class Child:
    """A child process, as its parent sees it. A context manager that ends it.

    Args:
        work: what it runs: a function at the top of a module that the child can import.
        inbox: where its messages go.
        environment: variables beside those of this process.
        show_errors: whether its standard error is that of this process; it is kept for
            `ChildEnded` if not.
    """

    def __init__(
        self,
        work: Callable[[Parent], None],
        inbox: Inbox,
        *,
        environment: Mapping[str, str] | None = None,
        show_errors: bool = False,
    ) -> None:
        self._inbox = inbox
        self._errors = None if show_errors else tempfile.TemporaryFile()  # noqa: SIM115 - stays open
        paths = os.pathsep.join(map(os.path.abspath, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, f"{work.__module__}:{work.__qualname__}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **(environment or {}), "PYTHONPATH": paths},
        )
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether its process is still there."""
        return self._process.poll() is None

    def send(self, message: object) -> None:
        """Sends it something. A child that is dead gets nothing, and the inbox will say so."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            _write(message, self._process.stdin)

    def kill(self) -> None:
        """Has it end at once, whatever it does, and does not wait until it has."""
        self._process.kill()

    def end(self) -> None:
        """Ends it at once, whatever it does; returns when its process is gone."""
        self.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # something unsent may be left in it
            self._process.stdin.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream, contextlib.suppress(Exception):
            while True:  # until its end, or garbage, which unpickling answers with anything
                self._inbox.put((self, pickle.loads(pickle.load(stream))))
        self._inbox.put((self, ChildEnded(self._exit_code(), self._last_words())))

    def _exit_code(self) -> int:
        """That of a process that is about to end; one that is not has only sent garbage."""
        try:
            return self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def _last_words(self) -> str:
        if self._errors is None:
            return ""
        with self._errors as errors:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


class Parent:
    """The parent, as a child sees it: messages from it and to it, from any thread.

    Args:
        incoming: messages from the parent, in the form of `Child.send`.
        outgoing: messages to the parent.
    """

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._sending = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, message: object) -> None:
        """Sends something to the parent; ends this process if there is none any more."""
        with self._sending:
            try:
                _write(message, self._outgoing)
            except OSError:
                os._exit(1)

    def receive(self) -> Any:
        """The next message; waits for it."""
        return pickle.loads(self._messages.get())

    def receive_now(self) -> Any:
        """The next message if it has come already; None if none has."""
        try:
            return pickle.loads(self._messages.get_nowait())
        except queue.Empty:
            return None

    def _read(self) -> None:
        """Takes messages in until the parent is gone, and ends this process then.

        Messages are unpickled by who receives them: this thread must not import modules while
        another one imports those that depend on them.
        """
        with contextlib.suppress(Exception):
            while True:
                self._messages.put(pickle.load(self._incoming))
        os._exit(1)


def run_child() -> None:
    """What a child process runs first: its work, named by the first argument as module:function."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Not sys.stdin: Python could not end while a thread holds its lock.
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what libraries print is no message
    parent = Parent(incoming, outgoing)
    module, _, function = sys.argv[1].partition(":")
    getattr(import_module(module), function)(parent)


def _write(message: object, stream: IO[bytes]) -> None:
    """Bytes that hold the pickled message, pickled: they can be read without any import."""
    pickle.dump(pickle.dumps(message), stream)
    stream.flush()
