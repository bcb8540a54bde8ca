"""Ctrl-C, the polite kill and the hangup: they stop the run, and the picture so far is kept."""

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

HUNG_UP = 129
"""The exit code of a command whose terminal was closed, or whose connection was lost."""

SECONDS_UNTIL_AGAIN = 0.02

# None on Windows, where a closed console ends the process.
_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, *([] if _HANGUP is None else [_HANGUP]))


class Interrupted(KeyboardInterrupt):
    """A signal came.

    A class of its own, because Python kills itself at exit, whatever the exit code, where a plain
    KeyboardInterrupt passed through an import, even if it was caught behind it.
    """


class Interruption:
    """While in use, SIGINT, SIGTERM and SIGHUP raise `Interrupted`, and it is remembered.

    A closed terminal sends more than one: the shell, the system and what shuts the session down
    each send theirs. A hangup after another signal, and a SIGTERM after a hangup, raise nothing:
    the picture is being written by then. Ctrl-C a second time is a person who will not wait.

    Python drops an exception that a signal raises in a destructor or a callback (importing is full
    of them). Such a one is sent again a moment later.

    Attributes:
        requested: whether a signal came; other code may have caught the exception.
    """

    def __init__(self) -> None:
        self.requested = False
        self._latest: int | None = None
        self._again = False
        self._waits: Callable[[], bool] | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._hook = sys.unraisablehook

    def __enter__(self) -> Interruption:
        """Takes the signals over, but for those that whoever started us wants ignored."""
        self.requested, self._latest, self._again = False, None, False
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

    @property
    def exit_code(self) -> int:
        """That of the command: `HUNG_UP` or `INTERRUPTED`."""
        return HUNG_UP if self._latest is not None and self._latest == _HANGUP else INTERRUPTED

    def _stop(self, number: int, frame: FrameType | None) -> None:
        again, self._again = self._again, False
        echo = _HANGUP in ((number, self._latest) if self.requested else ())
        if echo and number != signal.SIGINT and not again:
            return
        self.requested = True
        self._latest = number
        if self._waits is None or not self._waits():
            raise Interrupted

    def _dropped(self, dropped: sys.UnraisableHookArgs) -> None:
        if isinstance(dropped.exc_value, Interrupted):
            self._again = True
            threading.Timer(SECONDS_UNTIL_AGAIN, self._send_again).start()
        else:
            self._hook(dropped)

    def _send_again(self) -> None:
        """To the main thread: a signal to this one would not wake it from a blocking read."""
        identity = threading.main_thread().ident
        if not self._handlers or identity is None or self._latest is None:
            return  # too late: the signals are given back
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(identity, self._latest)
        else:
            signal.raise_signal(self._latest)


interruption = Interruption()
"""That of this process: signals are the process's own."""
