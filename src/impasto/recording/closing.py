"""Closing what records a run, where the run itself may have failed."""

from __future__ import annotations

from collections.abc import Callable

from impasto.errors import OutputError


def close_behind(error: BaseException | None, close: Callable[[], object]) -> None:
    """Call ``close``; what goes wrong in it never hides an error of the run.

    Args:
        error: what ended the run; None where it ended well.
        close: closes the record.

    Raises:
        OutputError: from ``close``, if there is no ``error``; else it is a note of that one.
    """
    try:
        close()
    except OutputError as second:
        if error is None:
            raise
        error.add_note(str(second))
