"""A cluster's log, shown to the user: what is waited for, and who was lost or has come."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator

from impasto.messages import printable


@contextlib.contextmanager
def passing_on_log(tell: Callable[[str], None]) -> Iterator[None]:
    """Within the context, ``tell`` is called with each message of the log."""
    log, handler = logging.getLogger("impasto.cluster"), logging.Handler()
    handler.emit = lambda record: tell(record.getMessage())  # type: ignore[method-assign]
    before = log.propagate, log.level
    log.propagate = False
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = before[0]
        log.setLevel(before[1])


def print_message(message: str) -> None:
    """Prints a message of the log as a line on standard error."""
    print(f"impasto: {printable(message)}", file=sys.stderr, flush=True)


def say_nothing(message: str) -> None:
    """In place of `print_message` where only errors are to be said."""
