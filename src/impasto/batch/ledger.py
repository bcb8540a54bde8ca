"""The ledger of a batch: every job, its recipe, its state, in one SQLite file.

The file has a rollback journal and not a write-ahead log: it needs no shared memory, so that it
also works on network shares, leaves one file behind, and a full disk undoes the transaction at hand
and nothing else. A transaction is on the disk when the call returns (``synchronous = EXTRA``).

That takes some 20 ms, as long as a network takes to paint a small picture. So what becomes of jobs
is written a tenth of a second's worth at a time. A batch that is killed paints again what it did
not come to note.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from impasto.batch.batch_job import BatchJob
from impasto.errors import OutputError
from impasto.files import PATH_ERRORS, real_path, reason_of

FILE = "impasto-batch.sqlite"
"""Its name in the folder of the results."""

State = Literal["waiting", "running", "done", "failed", "replaced"]
"""What a job's row can say. ``replaced``: another job's picture took its name."""

SECONDS_BETWEEN_WRITES = 0.1
"""Notes of what becomes of jobs are written together, so often at most."""

_VERSION = 1
_SCHEMA = """
CREATE TABLE jobs (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    styles TEXT NOT NULL,
    settings TEXT NOT NULL,
    inputs TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    started REAL,
    finished REAL,
    seconds REAL,
    lost REAL NOT NULL DEFAULT 0,
    error TEXT,
    bytes INTEGER,
    recipe TEXT,
    worker TEXT
);
CREATE UNIQUE INDEX names ON jobs (name) WHERE state != 'replaced';
"""


@dataclass(frozen=True)
class LedgerEntry:
    """What the ledger says of a job.

    Attributes:
        key: see `BatchJob.key`.
        name: of the result.
        content: the picture that is repainted.
        styles: the styles.
        inputs: see `BatchJob.inputs`; as they were when the job was last begun.
        state: see `State`.
        attempts: how often it was begun.
        started: when it was last begun, seconds since 1970; None if never.
        finished: when it was done or failed.
        seconds: how long the painting took.
        lost: seconds of painting that were lost with workers.
        error: why it failed.
        bytes: length of the result's file.
        recipe: of the result, as JSON.
        settings: all settings, as JSON.
    """

    key: str
    name: str
    content: str
    styles: tuple[str, ...]
    inputs: str
    state: State
    attempts: int
    started: float | None
    finished: float | None
    seconds: float | None
    lost: float
    error: str | None
    bytes: int | None
    recipe: str | None
    settings: str


class Ledger:
    """The ledger in a folder; a context manager that closes it.

    Args:
        folder: where it is, or will be.
        reading: to look at one that exists, and change nothing; only what a batch that was killed
            left of a transaction is undone, as every reader has to.

    Raises:
        OutputError: (from every method) it cannot be opened, read or written, or is damaged.
    """

    def __init__(self, folder: Path, *, reading: bool = False) -> None:
        self.path = folder / FILE
        with self._errors_named():
            # With "ro" a transaction that was cut off cannot be undone; with "rw" SQLite reads even
            # where nothing can be written.
            mode = "rw" if reading else "rwc"
            self._connection = sqlite3.connect(
                f"{real_path(self.path).as_uri()}?mode={mode}",
                uri=True,
                timeout=20,
                isolation_level=None,
            )
            self._notes: list[tuple[str, list[object]]] = []
            self._written = 0.0
            self._connection.row_factory = sqlite3.Row
            self._connection.text_factory = os.fsdecode
            if reading:
                self._connection.execute("PRAGMA query_only = ON")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            self._bare = reading and version == 0  # its batch is just making it, or was killed then
            if not reading:
                self._connection.execute("PRAGMA synchronous = EXTRA")
                if version == 0:
                    self._connection.executescript(
                        f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;"
                    )
        if version not in (0, _VERSION):
            raise OutputError(
                f"{self.path}: was written by another version of impasto ({version}, and this one "
                f"knows {_VERSION}); choose another folder"
            )

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()

    def close(self) -> None:
        """Lets go of the file; notes that are not written are lost."""
        self._connection.close()

    def flush(self) -> None:
        """Writes all notes."""
        if self._notes:
            with self._transaction():
                pass  # which begins with the notes

    def entries(self) -> dict[str, LedgerEntry]:
        """All rows by key, in the order in which they were entered."""
        if self._bare:
            return {}
        self.flush()
        with self._errors_named():
            rows = self._connection.execute("SELECT * FROM jobs ORDER BY rowid").fetchall()
        return {row["key"]: _entry(row) for row in rows}

    def enter(self, jobs: Iterable[BatchJob], replaced: Iterable[str] = ()) -> None:
        """Enters jobs as waiting, those that it knows anew.

        Args:
            jobs: the jobs.
            replaced: keys of others that lose their names.
        """
        with self._transaction() as connection:
            for key in replaced:
                connection.execute("UPDATE jobs SET state = 'replaced' WHERE key = ?", [key])
            for job in jobs:
                connection.execute(
                    "INSERT INTO jobs (key, name, content, styles, settings, inputs, state) "
                    "VALUES (?, ?, CAST(? AS TEXT), ?, ?, ?, 'waiting') "
                    "ON CONFLICT (key) DO UPDATE SET "
                    "state = 'waiting', error = NULL, recipe = NULL, bytes = NULL, "
                    "finished = NULL, inputs = excluded.inputs",
                    [
                        job.key,
                        job.name,
                        os.fsencode(job.content),  # which may be no UTF-8
                        json.dumps(job.styles),
                        job.settings.model_dump_json(),
                        job.inputs(),
                    ],
                )

    def note_begun(self, job: BatchJob, worker: str) -> None:
        """Notes that a worker has begun; what the inputs are is noted anew."""
        self._change(
            job, "state = 'running', attempts = attempts + 1, started = ?, worker = ?, inputs = ?",
            time.time(), worker, job.inputs(),
        )  # fmt: skip

    def note_done(self, job: BatchJob, seconds: float, size: int, recipe: str) -> None:
        """Notes that a picture is in its place.

        Args:
            job: whose picture.
            seconds: how long the painting took.
            size: length of the picture's file in bytes.
            recipe: as JSON.
        """
        self._change(
            job, "state = 'done', finished = ?, seconds = ?, bytes = ?, recipe = ?, error = NULL",
            time.time(), seconds, size, recipe,
        )  # fmt: skip

    def note_failed(self, job: BatchJob, error: str) -> None:
        """Notes why there will be no picture."""
        self._change(
            job,
            "state = 'failed', finished = ?, error = CAST(? AS TEXT)",
            time.time(),
            os.fsencode(error),
        )

    def note_lost(self, job: BatchJob, seconds: float) -> None:
        """Notes that its worker was lost after so many seconds of painting."""
        self._change(job, "state = 'waiting', lost = lost + ?", seconds)

    def release(self) -> None:
        """Has all that is in work wait again: nobody works on it any more."""
        with self._transaction() as connection:
            connection.execute("UPDATE jobs SET state = 'waiting' WHERE state = 'running'")

    def _change(self, job: BatchJob, change: str, *values: object) -> None:
        self._notes.append((f"UPDATE jobs SET {change} WHERE key = ?", [*values, job.key]))
        if time.monotonic() - self._written >= SECONDS_BETWEEN_WRITES:
            self.flush()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits at its end, the notes first, or rolls back; then the notes are lost."""
        notes, self._notes = self._notes, []
        with self._errors_named(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for change, values in notes:
                self._connection.execute(change, values)
            yield self._connection
        self._written = time.monotonic()

    @contextlib.contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except PATH_ERRORS as error:
            raise OutputError(
                f"{self.path}: the ledger cannot be used ({reason_of(error)})"
            ) from error
        except sqlite3.DatabaseError as error:
            raise OutputError(
                f"{self.path}: the ledger cannot be used ({_reason(error)})"
            ) from error


def _reason(error: sqlite3.DatabaseError) -> str:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return (
            "a batch was killed while it wrote, which cannot be undone in a folder that cannot be "
            "written to; look at a copy of the folder"
        )
    if not isinstance(error, sqlite3.OperationalError):
        return f"{error}; move it away and check what is in the folder"
    return str(error)


def _entry(row: sqlite3.Row) -> LedgerEntry:
    facts = {name: row[name] for name in LedgerEntry.__dataclass_fields__}
    return LedgerEntry(**{**facts, "styles": tuple(json.loads(row["styles"]))})
