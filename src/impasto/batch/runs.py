"""A batch from the ledger to the last picture: what is left to do, and doing it.

One process drives a batch: it alone writes the ledger, which a lock on the folder ensures. A
picture is written under a temporary name, flushed, renamed, and only then noted as done.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from impasto.batch.dispatch import worked
from impasto.batch.jobs import Job, Result
from impasto.batch.ledger import FILE, Entry, Ledger, Made
from impasto.batch.orders import Began, Engine, Failed, Lost, Message, Order, Painted
from impasto.batch.plans import Plan, planned
from impasto.batch.storage import LocalFolder, Storage, make_folder, storage_at
from impasto.errors import OutputError

LOCK = ".impasto-batch.lock"

_SECONDS_OF_A_LOOK = 1.0
"""`at_work` holds the lock for less: it must not keep a batch from starting."""

_ONE_FILE = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR}
"""Of what can go wrong with writing, that which only stops one picture."""


@dataclass
class Run:
    """A batch in its folder, locked for other batches. A context manager.

    Attributes:
        storage: where pictures go.
        ledger: the ledger.
    """

    storage: Storage
    ledger: Ledger
    _lock: FileLock

    @classmethod
    def at(cls, output: str, ledger: Path | None = None) -> Run:
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
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=_SECONDS_OF_A_LOOK, poll_interval=0.02)
        except Timeout:
            raise OutputError(
                f"{output}: another batch is at work here; wait for it, or choose another folder"
            ) from None
        except OSError as error:
            raise OutputError(f"{folder}: cannot be locked ({error.strerror})") from error
        try:
            storage.prepare()
            run = cls(storage, Ledger(folder), lock)
            run.ledger.release()
            return run
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OutputError):  # a full disk: the next batch will release
            self.ledger.release()
        self.ledger.__exit__()
        self._lock.release()

    def plan(self, jobs: Sequence[Job], *, retry: bool = False, overwrite: bool = False) -> Plan:
        """What is left to do of ``jobs``; enters them.

        Args:
            jobs: all jobs.
            retry: whether those that failed are tried again.
            overwrite: whether pictures of other jobs, and files of no job, may be replaced.

        Raises:
            OutputError: a result would replace a picture of another job, an input, or a file that
                is none of this batch.
        """
        known = self.ledger.entries()
        plan = planned(jobs, known, self.storage, retry=retry, overwrite=overwrite)
        self.ledger.enter(plan.todo, plan.replaced)
        return plan

    def results(self, plan: Plan, engine: Engine) -> Iterator[tuple[Result | None, Message | None]]:
        """Has what is left painted and written; yields every message, with the result it brought.

        Raises:
            OutputError: a picture or the ledger cannot be written: the batch stops; what is done
                is safe.
        """
        orders = [self._order(number, job, engine) for number, job in enumerate(plan.todo)]
        for message in worked(orders, engine):
            yield (None if message is None else self._noted(message, plan)), message

    def skipped(self, plan: Plan) -> Iterator[Result]:
        """Results of what was done, or has failed, before."""
        for job in plan.done:
            path = self.storage.path(job.name)
            yield Result(job, "", plan.seconds[job.key], path, skipped=True)
        for job, error in plan.failed:
            yield Result(job, error, skipped=True)

    def _order(self, number: int, job: Job, engine: Engine) -> Order:
        distant = getattr(engine, "distant", False)
        store = self.storage.place if distant and self.storage.shared else ""
        return Order(number, job, store=store)

    def _noted(self, message: Message, plan: Plan) -> Result | None:
        """Writes what a message brings, first the picture, then the ledger."""
        job = plan.todo[message.number]
        if isinstance(message, Began):
            self.ledger.begin(job, message.worker)
        elif isinstance(message, Lost):
            if message.seconds is not None:
                self.ledger.lost(job, message.seconds)
        elif isinstance(message, Failed):
            if message.storage:
                raise OutputError(message.error)
            self.ledger.failed(job, message.error)
            return Result(job, message.error)
        elif isinstance(message, Painted):
            try:
                if message.data:
                    self.storage.write(job.name, message.data)
            except OutputError as error:
                cause = error.__cause__
                if not isinstance(cause, OSError) or cause.errno not in _ONE_FILE:
                    raise
                self.ledger.failed(job, str(error))
                return Result(job, str(error))
            self.ledger.done(job, Made(message.seconds, message.size, message.recipe))
            path = self.storage.path(job.name)
            return Result(job, "", message.seconds, path)
        return None


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


def plan_of(
    jobs: Sequence[Job],
    output: str,
    ledger: Path | None = None,
    *,
    retry: bool = False,
    overwrite: bool = False,
) -> Plan:
    """What `Run.plan` would say, and raise, at this output; makes, enters and locks nothing."""
    storage = storage_at(output)
    folder = ledger_folder(storage, ledger)
    known: dict[str, Entry] = {}
    if (folder / FILE).is_file():
        with Ledger(folder, reading=True) as found:
            known = found.entries()
    return planned(jobs, known, storage, retry=retry, overwrite=overwrite)


def at_work(folder: Path) -> bool:
    """Whether a batch is at work in the ledger's folder."""
    path = folder / LOCK
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False
