"""A batch in its folder: what is left to do, having it painted, noting what became of it.

A picture is written under a temporary name, flushed, named as asked, and only then noted as done.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from filelock import FileLock

from impasto.batch.batch_job import BatchJob, BatchResult
from impasto.batch.batch_lock import lock_folder
from impasto.batch.batch_plan import BatchPlan, plan_batch
from impasto.batch.engine import Engine, dispatch_orders
from impasto.batch.ledger import FILE, Ledger, LedgerEntry
from impasto.batch.storage import LocalFolder, Storage, check_place, make_folder, storage_at
from impasto.batch.worker_messages import (
    PaintingBegun,
    PictureFailed,
    PictureLost,
    PicturePainted,
    WorkerMessage,
    WorkOrder,
)
from impasto.errors import OutputError
from impasto.files import appeared, is_file

_ONE_FILE = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR}
"""Of what can go wrong with writing, that which only stops one picture."""


@dataclass
class BatchRun:
    """A batch in its folder, locked for other batches. A context manager.

    Attributes:
        storage: where pictures go.
        ledger: the ledger.
    """

    storage: Storage
    ledger: Ledger
    _lock: FileLock

    @classmethod
    def at(cls, output: str, ledger: Path | None = None) -> BatchRun:
        """Opens, or makes, the folder of a batch.

        Args:
            output: a folder or a URL.
            ledger: the folder of the ledger; that of the results where it is a folder.

        Raises:
            OutputError: it cannot be written to, or another batch is at work there.
        """
        storage = storage_at(output)
        folder = ledger_folder(storage, ledger)
        if isinstance(storage, LocalFolder):
            make_folder(storage.folder, output)
        make_folder(folder, str(folder))
        lock = lock_folder(folder, output)
        try:
            storage.prepare()
            run = cls(storage, Ledger(folder), lock)
            run.ledger.release()
            return run
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> BatchRun:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OutputError):  # a full disk: the next batch will release
            self.ledger.release()
        self.ledger.close()
        self._lock.release()

    def plan(
        self, jobs: Sequence[BatchJob], *, retry: bool = False, overwrite: bool = False
    ) -> BatchPlan:
        """Finds out what is left to do of ``jobs``, and enters that into the ledger.

        Args:
            jobs: all jobs.
            retry: whether those that failed are tried again.
            overwrite: whether pictures of other jobs, and files of no job, may be replaced.

        Raises:
            OutputError: a result would replace a picture of another job, an input, or a file that
                is none of this batch.
        """
        known = self.ledger.entries()
        plan = plan_batch(jobs, known, self.storage, retry=retry, overwrite=overwrite)
        self.ledger.enter(plan.todo, plan.replaced)
        return plan

    def paint(
        self, plan: BatchPlan, engine: Engine
    ) -> Iterator[tuple[BatchResult | None, WorkerMessage | None]]:
        """Has what is left painted and written; yields every message, with the result it brought.

        Raises:
            OutputError: a picture or the ledger cannot be written: the batch stops; what is done
                is safe.
        """
        store = self.storage.place if engine.distant and self.storage.shared else ""
        orders = [WorkOrder(number, job, store=store) for number, job in enumerate(plan.todo)]
        lost = False
        for message in dispatch_orders(orders, engine):
            lost = lost or isinstance(message, PictureLost)
            if message is None:
                self.ledger.flush()
            yield None if message is None else self._note(message, plan), message
        self.ledger.flush()
        if lost:  # with its worker, which may have been writing
            self.storage.clear()

    def skipped_results(self, plan: BatchPlan) -> Iterator[BatchResult]:
        """Results of what was done, or has failed, before."""
        for job in plan.done:
            path = self.storage.path(job.name)
            yield BatchResult(job, "", plan.seconds[job.key], path, skipped=True)
        for job, error in plan.failed:
            yield BatchResult(job, error, skipped=True)

    def _note(self, message: WorkerMessage, plan: BatchPlan) -> BatchResult | None:
        """Notes what a worker says of a job; returns the result if that is the last word."""
        job = plan.todo[message.number]
        if isinstance(message, PaintingBegun):
            self.ledger.note_begun(job, message.worker)
        elif isinstance(message, PictureLost) and message.seconds is not None:
            self.ledger.note_lost(job, message.seconds)
        elif isinstance(message, PictureFailed):
            if message.storage:
                raise OutputError(message.error)
            return self._note_failed(job, message.error)
        elif isinstance(message, PicturePainted):
            return self._keep(message, job, plan)
        return None

    def _keep(self, painted: PicturePainted, job: BatchJob, plan: BatchPlan) -> BatchResult:
        """Writes first the picture, unless its worker did, then the ledger."""
        name = job.name
        try:
            if painted.data:
                name = self._write(name, painted.data, plan)
        except OutputError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno not in _ONE_FILE:
                raise
            return self._note_failed(job, str(error))
        if name != job.name:
            path, place = self.storage.path(job.name), self.storage.path(name)
            return self._note_failed(job, appeared(path, "picture", place))
        self.ledger.note_done(job, painted.seconds, painted.size, painted.recipe)
        return BatchResult(job, "", painted.seconds, self.storage.path(job.name))

    def _write(self, name: str, data: bytes, plan: BatchPlan) -> str:
        """Writes a picture, beside what has appeared under its name. Returns its name."""
        if self.storage.write(name, data, overwrite=name not in plan.fresh):
            return name
        taken, path = {job.name for job in plan.todo}, PurePosixPath(name)
        numbered = (str(path.with_stem(f"{path.stem}-{n}")) for n in itertools.count(2))
        free = (one for one in numbered if one not in taken)
        return next(one for one in free if self.storage.write(one, data, overwrite=False))

    def _note_failed(self, job: BatchJob, error: str) -> BatchResult:
        self.ledger.note_failed(job, error)
        return BatchResult(job, error)


def ledger_folder(storage: Storage, folder: Path | None) -> Path:
    """Where the ledger of a batch is.

    Raises:
        OutputError: the results are no folder, and no other is named.
    """
    if folder is not None:
        return folder
    if isinstance(storage, LocalFolder):
        return storage.folder
    raise OutputError(
        f"{storage.place}: the ledger of a batch needs a folder of its own beside a URL; name one "
        "with --ledger FOLDER (ledger= in Python)"
    )


def plan_dry_run(
    jobs: Sequence[BatchJob],
    output: str,
    ledger: Path | None = None,
    *,
    retry: bool = False,
    overwrite: bool = False,
) -> BatchPlan:
    """The plan that `BatchRun.plan` would make, and its errors; makes, enters and locks nothing."""
    storage = storage_at(output)
    check_place(storage)
    folder = ledger_folder(storage, ledger)
    known: dict[str, LedgerEntry] = {}
    if is_file(folder / FILE):
        with Ledger(folder, reading=True) as found:
            known = found.entries()
    return plan_batch(jobs, known, storage, retry=retry, overwrite=overwrite)
