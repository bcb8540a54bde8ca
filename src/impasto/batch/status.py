"""How far a batch is, read from its ledger, from any process."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.batch.batch_lock import at_work
from impasto.batch.ledger import FILE, Ledger, LedgerEntry
from impasto.errors import OutputError
from impasto.files import PATH_ERRORS, kind_at, reporting_failure

_RECENT = 600.0  # seconds whose pictures tell the pace


@dataclass(frozen=True)
class BatchStatus:
    """What a ledger says.

    Attributes:
        counts: number of jobs by state.
        at_work: whether a batch is at work.
        running: jobs in work, and seconds since each was begun.
        failed: jobs that failed.
        per_minute: pictures finished per minute of late; 0 if none.
        lost: seconds of painting that were lost with workers.
    """

    counts: dict[str, int]
    at_work: bool
    running: list[tuple[LedgerEntry, float]]
    failed: list[LedgerEntry]
    per_minute: float
    lost: float

    @property
    def left(self) -> float | None:
        """Seconds that are left at this pace; None where there is no telling."""
        open_jobs = self.counts["waiting"] + self.counts["running"]
        return open_jobs / self.per_minute * 60 if self.per_minute else None

    def to_json(self) -> dict[str, Any]:
        """As JSON can carry it."""
        return {
            "at_work": self.at_work,
            **self.counts,
            "per_minute": round(self.per_minute, 2),
            "seconds_left": None if self.left is None else round(self.left),
            "seconds_lost": round(self.lost, 1),
            "pictures": [
                {"content": entry.content, "styles": entry.styles, "seconds": round(since, 1)}
                for entry, since in self.running
            ],
            "errors": [{"name": entry.name, "error": entry.error} for entry in self.failed],
        }


def read_status(folder: Path) -> BatchStatus:
    """The status of the batch whose ledger is in ``folder``.

    Raises:
        OutputError: there is no ledger, or it cannot be read.
    """
    with reporting_failure(str(folder), PATH_ERRORS, does="read"):
        if kind_at(folder / FILE) != "file":
            raise OutputError(f"{folder}: has no ledger of a batch ({FILE})")
    with Ledger(folder, reading=True) as ledger:
        entries = [one for one in ledger.entries().values() if one.state != "replaced"]
    now = time.time()
    counts = Counter(entry.state for entry in entries)
    running = [(one, now - (one.started or now)) for one in entries if one.state == "running"]
    return BatchStatus(
        {state: counts[state] for state in ("waiting", "running", "done", "failed")},
        at_work(folder),
        running,
        [entry for entry in entries if entry.state == "failed"],
        _pace(entries),
        sum(entry.lost for entry in entries),
    )


def _pace(entries: list[LedgerEntry]) -> float:
    """Pictures per minute, in the ten minutes up to the last one."""
    made = [one for one in entries if one.state == "done" and one.finished and one.started]
    last = max((one.finished or 0 for one in made), default=0.0)
    recent = [one for one in made if (one.finished or 0) > last - _RECENT]
    first = min((one.started or 0 for one in recent), default=0.0)
    return len(recent) / (last - first) * 60 if last > first else 0.0
