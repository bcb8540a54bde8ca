"""Ctrl-C and the polite kill: both stop the run, and the picture so far is kept."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""The exit code of a command that was interrupted."""

SECONDS_UNTIL_AGAIN = 0.02

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal came.

    A class of its own, because Python kills itself at exit, whatever the exit code, where a plain
    KeyboardInterrupt passed through an import, even if it was caught behind it.
    """


class Interruption:
    """While in use, SIGINT and SIGTERM raise `Interrupted`, and it is remembered.

    Python drops an exception that a signal raises in a destructor or a callback (importing is full
    of them). Such a one is sent again a moment later.

    Attributes:
        requested: whether a signal came; other code may have caught the exception.
    """

    def __init__(self) -> None:
        self.requested = False
        self._latest = int(signal.SIGINT)
        self._waits: Callable[[], bool] | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._hook = sys.unraisablehook

    def __enter__(self) -> Interruption:
        """Takes the signals over, but for those that whoever started us wants ignored."""
        self.requested = False
        self._hook, sys.unraisablehook = sys.unraisablehook, self._dropped
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
        sys.unraisablehook = self._hook

    @contextmanager
    def waiting(self, condition: Callable[[], bool]) -> Iterator[None]:
        """While ``condition`` holds, a signal raises nothing: whoever asks sees `requested`."""
        self._waits = condition
        try:
            yield
        finally:
            self._waits = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._latest = number
        if self._waits is None or not self._waits():
            raise Interrupted

    def _dropped(self, dropped: sys.UnraisableHookArgs) -> None:
        if isinstance(dropped.exc_value, Interrupted):
            threading.Timer(SECONDS_UNTIL_AGAIN, self._send_again).start()
        else:
            self._hook(dropped)

    def _send_again(self) -> None:
        """To the main thread: a signal to this one would not wake it from a blocking read."""
        identity = threading.main_thread().ident
        if not self._handlers or identity is None:
            return  # too late: the signals are given back
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(identity, self._latest)
        else:
            signal.raise_signal(self._latest)


interruption = Interruption()
"""That of this process: signals are the process's own."""
