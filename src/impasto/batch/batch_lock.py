"""The lock on a batch's folder: one process drives a batch, and it alone writes the ledger."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from impasto.errors import OutputError
from impasto.files import is_file

LOCK = ".impasto-batch.lock"

_SECONDS_OF_A_LOOK = 1.0
"""`at_work` holds the lock for less: it must not keep a batch from starting."""


def lock_folder(folder: Path, name: str) -> FileLock:
    """Locks the folder of a ledger for other batches, until the lock is released.

    Args:
        folder: where the ledger is.
        name: what messages call the batch: its output.

    Raises:
        OutputError: another batch is at work there, or it cannot be locked.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=_SECONDS_OF_A_LOOK, poll_interval=0.02)
    except Timeout:
        raise OutputError(
            f"{name}: another batch is at work here; wait for it, or choose another folder"
        ) from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be locked ({error.strerror})") from error
    return lock


def at_work(folder: Path) -> bool:
    """Whether a batch is at work in the ledger's folder."""
    path = folder / LOCK
    if not is_file(path):
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False
