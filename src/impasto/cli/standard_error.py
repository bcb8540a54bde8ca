"""Standard error that outlives its terminal or reader, and what a terminal is able to do.

A closed terminal, a reader that has gone or a full disk must not end a run of hours with an error
about what is said of it: what cannot be said is left unsaid.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import IO, Any


class _Steadfast:
    """A stream as it was, but for errors of the system when it is written to."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes what can be written."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes what can be flushed."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def open_missing_streams() -> None:
    """Opens what the process was started without, as by ``2>&-``.

    Else the next file that is opened would get the number of standard output or standard error,
    and what libraries print would go into it. Nothing can be read there, nor written to standard
    output: a picture must not vanish without a word.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                null = os.open(os.devnull, os.O_RDONLY if name == "stdout" else os.O_WRONLY)
                if null != number:
                    os.dup2(null, number)
                    os.close(null)
                setattr(sys, name, os.fdopen(number, mode, closefd=False))


@contextlib.contextmanager
def steadfast_standard_error() -> Iterator[None]:
    """Within the context nothing that is written to standard error raises an error."""
    before = sys.stderr
    if before is None:  # a process without one, such as under pythonw
        yield
        return
    if isinstance(before, io.TextIOWrapper):  # names need not be valid text in every encoding
        before.reconfigure(errors="backslashreplace")
    steadfast: Any = _Steadfast(before)
    sys.stderr = steadfast
    try:
        yield
    finally:
        sys.stderr = before
        with contextlib.suppress(ValueError):  # it is closed
            try:
                before.flush()
            except OSError:  # Python would fail once more at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), before.fileno())


def can_redraw() -> bool:
    """Whether standard error is a terminal on which a line can be drawn again and again."""
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    if os.name == "posix" and not os.environ.get("TERM"):
        return False
    from rich.console import Console

    return Console(stderr=True).is_interactive  # knows of TERM=dumb and of TTY_COMPATIBLE
