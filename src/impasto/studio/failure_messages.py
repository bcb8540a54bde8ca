"""Messages for whoever waits for a picture that failed: disk, memory, a killed process."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from impasto.errors import ImpastoError, OutputError
from impasto.files import reason_of
from impasto.machine.processes import ChildEnded

NO_MEMORY = "not enough memory; use a smaller size"
DISK_FULL = "the disk is full; make room where the studio keeps its pictures, and paint again"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def failure_message(error: Exception) -> str:
    """One line for any error of a job."""
    cause = _first_os_error(error)
    if cause is not None and cause.errno in _FULL:
        return DISK_FULL
    if isinstance(error, ImpastoError):
        return str(error)
    if isinstance(error, MemoryError) or (cause is not None and cause.errno == errno.ENOMEM):
        return NO_MEMORY
    if isinstance(error, OSError):
        return f"the files of this picture cannot be read or written ({reason_of(error)})"
    if isinstance(error, RuntimeError) and "memory" in str(error).lower():  # PyTorch's own words
        return NO_MEMORY
    return "the run failed inside impasto; the server's log has more"


def death_message(ended: ChildEnded, killed_before: int | None, killed_now: int | None) -> str:
    """One line for a worker that ended in the middle of a job.

    Args:
        ended: how it ended.
        killed_before: what `count_memory_kills` said when the work began.
        killed_now: what it says now.
    """
    if ended.killed_by == "SIGKILL":
        if killed_before is None or killed_now is None:
            return "the process that paints was killed, perhaps for want of memory; try smaller"
        if killed_now > killed_before:
            return f"the system ended the process that paints: {NO_MEMORY}"
        return "the process that paints was killed from outside; paint again"
    how = f"by {ended.killed_by}" if ended.killed_by else f"with the exit code {ended.code}"
    return f"the process that paints ended {how}; the server's log has more"


def count_memory_kills() -> int | None:
    """How many processes this system has killed for want of memory; None where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


@contextmanager
def explain_disk_errors() -> Iterator[None]:
    """Turns errors of the disk into errors with a message for the user.

    Raises:
        OutputError: instead of OSError.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(failure_message(error)) from error


def _first_os_error(error: BaseException) -> OSError | None:
    """The system's own error among the causes of an error."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError):
            return at
        at = at.__cause__ or at.__context__
    return None
