"""A batch from the ledger to the last picture: what is left to do, and doing it.

One process drives a batch: it alone writes the ledger, which a lock on the folder ensures. A
picture is written under a temporary name, flushed, renamed, and only then noted as done.
"""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from impasto.batch.dispatch import worked
from impasto.batch.jobs import Job, Result, grouped
from impasto.batch.ledger import Entry, Ledger, Made
from impasto.batch.orders import Began, Engine, Failed, Lost, Message, Order, Painted
from impasto.batch.storage import LocalFolder, Storage, make_folder, storage_at
from impasto.errors import ImpastoError, OutputError
from impasto.picture_reading import read_recipe

LOCK = ".impasto-batch.lock"

_ONE_FILE = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR}
"""Of what can go wrong with writing, that which only stops one picture."""


@dataclass(frozen=True)
class Plan:
    """What is left of a batch.

    Attributes:
        todo: jobs to paint, in the order of the work.
        done: jobs that are done, their pictures looked at and found as they were written.
        failed: jobs that failed before and are not tried again, with the error.
        again: how many of ``todo`` were done once: their picture or an input is gone or changed.
    """

    todo: Sequence[Job]
    done: Sequence[Job]
    failed: Sequence[tuple[Job, str]]
    again: int = 0


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
    _seconds: dict[str, float] = field(default_factory=dict)

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
            lock.acquire(timeout=0)
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
        todo, done, failed, again = [], [], [], 0
        for job in jobs:
            entry = known.get(job.key)
            if entry is None or entry.state in ("waiting", "running", "replaced"):
                todo.append(job)
            elif entry.state == "failed" and not retry and entry.inputs == job.inputs():
                failed.append((job, entry.error or ""))
            elif entry.state == "done" and self._stands(job, entry):
                done.append(job)
                self._seconds[job.key] = entry.seconds or 0.0
            else:
                todo.append(job)
                again += entry.state == "done"
        replaced = self._to_replace(todo, known, overwrite)
        ordered = grouped(todo)
        self.ledger.enter(ordered, replaced)
        return Plan(ordered, done, failed, again)

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
            yield Result(job, "", self._seconds[job.key], path, skipped=True)
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

    def _stands(self, job: Job, entry: Entry) -> bool:
        """Whether a picture is there as it was written, and its inputs are as they were."""
        if entry.inputs != job.inputs() or self.storage.size(entry.name) != entry.bytes:
            return False
        try:
            with self.storage.open(entry.name) as stream:
                found = read_recipe(stream)
        except (ImpastoError, OSError):
            return False
        return bool(found == json.loads(entry.recipe or "null"))

    def _to_replace(
        self, todo: Iterable[Job], known: dict[str, Entry], overwrite: bool
    ) -> list[str]:
        """Keys of other jobs whose pictures will be replaced."""
        owners = {
            entry.name.casefold(): entry for entry in known.values() if entry.state != "replaced"
        }
        replaced = []
        for job in todo:
            owner = owners.get(job.name.casefold())
            if owner is not None and owner.key == job.key:
                continue
            there = self.storage.size(job.name) is not None
            if there:
                self._check_input(job, todo)
            if there and not overwrite:
                what = "is of other settings or inputs" if owner else "is none of this batch"
                raise OutputError(
                    f"{self.storage.path(job.name)}: exists already and {what}; choose another "
                    "--name (as with {strength}) or folder, or say --overwrite"
                )
            if owner is not None:
                replaced.append(owner.key)
        return replaced

    def _check_input(self, job: Job, todo: Iterable[Job]) -> None:
        target = Path(self.storage.path(job.name)).resolve()
        for other in todo:
            for name in (other.content, *other.styles, *other.settings.files):
                source = Path(name).resolve()
                if source == target or (source.is_dir() and source == target.parent):
                    raise OutputError(f"{name}: is an input of this batch; choose another folder")


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
