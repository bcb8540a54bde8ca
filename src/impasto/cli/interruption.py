"""Ctrl-C, the polite kill and the hangup: they stop the run, and the picture so far is kept."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""The exit code of a command that was interrupted."""

HUNG_UP = 129
"""The exit code of a command whose terminal was closed, or whose connection was lost."""

SECONDS_UNTIL_AGAIN = 0.02

SECONDS_OF_ONE_PRESS = 1.0
"""Signals within so many seconds are one: a key bounces, a process group gets two.

A whole second, as Python sees a signal only when what computes or encodes has returned.
"""

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
    the picture is being written by then. Nor does anything within `SECONDS_OF_ONE_PRESS`. Ctrl-C
    again after that is a person who will not wait.

    Nothing is raised while a module is imported: torch's is C++ that calls Python, and ends the
    process at an exception. And Python drops what is raised in a destructor or a callback. Both
    are sent again a moment later.

    Attributes:
        requested: whether a signal came; other code may have caught the exception.
    """

    def __init__(self) -> None:
        self.requested = False
        self._latest: int | None = None
        self._came = -math.inf
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

    def ignore_more(self) -> None:
        """From here on signals do nothing, for good: the process is about to end by itself."""
        self._handlers = dict.fromkeys(self._handlers, signal.SIG_IGN)
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)

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
        if not again:
            if self.requested and self._is_echo(number):
                return
            self.requested, self._latest, self._came = True, number, time.monotonic()
        if _is_importing(frame):
            start_new_thread(self._send_again, ())  # a Timer's locks may be held here
        elif self._waits is None or not self._waits():
            raise Interrupted

    def _is_echo(self, number: int) -> bool:
        if time.monotonic() - self._came < SECONDS_OF_ONE_PRESS:
            return True
        return number != signal.SIGINT and _HANGUP in (number, self._latest)

    def _dropped(self, dropped: sys.UnraisableHookArgs) -> None:
        if isinstance(dropped.exc_value, Interrupted):
            start_new_thread(self._send_again, ())
        else:
            self._hook(dropped)

    def _send_again(self) -> None:
        """To the main thread: a signal to this one would not wake it from a blocking read."""
        time.sleep(SECONDS_UNTIL_AGAIN)
        identity = threading.main_thread().ident
        if not self._handlers or identity is None or self._latest is None:
            return  # too late: the signals are given back
        self._again = True
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(identity, self._latest)
        else:
            signal.raise_signal(self._latest)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a frame is of an import, or of what one calls."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib."):
            return True
        frame = frame.f_back
    return False


interruption = Interruption()
"""That of this process: signals are the process's own."""
