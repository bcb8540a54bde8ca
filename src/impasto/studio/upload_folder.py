"""The folder where Gradio puts what programs send and fetch: nothing stays in it for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SECONDS_KEPT = 3600.0
"""How long a program can use a file that it sent, and fetch one that it asked for."""

SECONDS_BETWEEN_LOOKS = 60.0


@contextmanager
def sweep_repeatedly(folder: Path) -> Iterator[None]:
    """Removes old files from a folder again and again, for as long as the context lasts."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(SECONDS_BETWEEN_LOOKS):
            remove_old(folder, time.time() - SECONDS_KEPT)

    thread = threading.Thread(target=sweep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def remove_old(folder: Path, before: float) -> None:
    """Removes the files that were last written before then, and folders that are old and empty."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is inside comes first
        with suppress(OSError):  # gone already, or a folder that is not empty
            if path.lstat().st_mtime >= before:
                continue
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
