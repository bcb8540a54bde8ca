"""Leaves a ledger as a killed batch may leave it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from impasto.batch.ledger import FILE

_CUT_OFF = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # so that pages go to the disk before the end
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE jobs SET state = 'failed', error = hex(randomblob(20000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


def cut_off(folder: Path) -> None:
    """The ledger of a folder after a `kill -9` in the midst of a transaction."""
    before = (folder / FILE).read_bytes()
    killed = subprocess.run([sys.executable, "-c", _CUT_OFF, folder / FILE], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (folder / FILE).read_bytes() != before
    assert (folder / f"{FILE}-journal").stat().st_size > 512
