"""Runs: waiting, painted, stopped.

One thread for each worker process takes the jobs in the order in which they came. A job that
nobody has watched for a while is stopped: its page is closed.
"""

from __future__ import annotations

import logging
import multiprocessing
import sqlite3
import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from impasto.errors import PictureError, SettingsError
from impasto.studio.jobs import Job
from impasto.studio.painter import Painter
from impasto.studio.worker import Failed, Finished

_KEPT_JOBS = 60
_log = logging.getLogger("impasto.studio")

Keep = Callable[[Job, Finished], str]
"""Puts a finished job into the history; returns its entry."""

Drop = Callable[[Job], None]
"""Removes what a job without a result left behind."""


class JobQueue:
    """All jobs of the studio.

    Args:
        workers: how many run at once.
        length: how many may wait.
        max_pixels: the largest picture that workers read.
        keep: called with every job that has a result.
        drop: called with every job that has none.
    """

    def __init__(
        self, *, workers: int, length: int, max_pixels: int, keep: Keep, drop: Drop
    ) -> None:
        self._length, self._max_pixels = length, max_pixels
        self._keep, self._drop = keep, drop
        self._waiting: deque[Job] = deque()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        threads = None if workers == 1 else max(1, (multiprocessing.cpu_count() or 1) // workers)
        self._painters = [Painter(max_pixels, threads) for _ in range(workers)]
        self._running = [
            threading.Thread(target=self._run, args=(painter,), daemon=True)
            for painter in self._painters
        ]

    def start(self) -> None:
        """Starts the workers."""
        for thread in self._running:
            thread.start()

    def close(self) -> None:
        """Stops everything, and waits until it is."""
        with self._changed:
            self._closed = True
            for painter in self._painters:
                painter.closing = True
            for job in self._jobs.values():
                job.stop_asked = True
            while self._waiting:
                self._ended_unpainted(self._waiting.popleft())
            self._changed.notify_all()
        for thread in self._running:
            thread.join(timeout=75)  # longer than a picture that is being written may take

    def submit(self, job: Job) -> Job:
        """Puts a job at the end of the queue.

        Raises:
            SettingsError: the queue is full.
        """
        with self._changed:
            self._sweep()
            if len(self._waiting) >= self._length + self._idle():
                raise SettingsError(
                    f"{len(self._waiting)} pictures are waiting already, and no more may; "
                    "try again in a minute"
                )
            self._waiting.append(job)
            self._jobs[job.identity] = job
            self._changed.notify_all()
        return job

    def get(self, owner: str | None, identity: str) -> Job:
        """A job of that owner.

        Raises:
            PictureError: there is none.
        """
        job = self._jobs.get(identity)
        if job is None or job.owner != owner:
            raise PictureError(f"there is no run {identity[:40]!r} (any more)")
        return job

    def of(self, owner: str | None) -> list[Job]:
        """All jobs of an owner that are not over."""
        with self._changed:
            return [job for job in self._jobs.values() if job.owner == owner and not job.over]

    def known(self, owner: str | None) -> list[Job]:
        """All jobs of an owner, those too that ended not long ago."""
        with self._changed:
            return [job for job in self._jobs.values() if job.owner == owner]

    def place(self, job: Job) -> int:
        """How many are before it; 0 if it is next or running."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else 0

    def stop(self, job: Job) -> None:
        """Stops a job; the picture so far is kept."""
        with self._changed:
            job.stop_asked = True
            if job in self._waiting:
                self._waiting.remove(job)
                self._ended_unpainted(job)
            self._changed.notify_all()

    @property
    def processes(self) -> list[int]:
        """The process numbers of the workers."""
        return [painter.pid for painter in self._painters if painter.pid]

    def _idle(self) -> int:
        return sum(not painter.busy for painter in self._painters)

    def _sweep(self) -> None:
        """Forgets the oldest jobs that are over."""
        over = [job for job in self._jobs.values() if job.over]
        for job in over[:-_KEPT_JOBS]:
            del self._jobs[job.identity]
        for job in over[:-8]:  # of most, only the outcome is worth memory
            job.previews = [None] * len(job.previews)

    def _ended_unpainted(self, job: Job) -> None:
        self._drop(job)
        job.end("stopped", "Stopped before it began.")

    def _run(self, painter: Painter) -> None:
        """What each thread does."""
        while not self._closed:
            painter.warm()
            job = self._next(painter)
            if job is not None:
                try:
                    self._settle(job, painter.paint(job, self._leave_out_abandoned))
                except Exception:  # one job must not end the thread that serves all others
                    _log.exception("a job failed")
                    self._fail(job, "the studio failed; its log has more")
                painter.busy = False
        painter.close()

    def _next(self, painter: Painter) -> Job | None:
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout=1)
        self._leave_out_abandoned()
        with self._changed:
            if self._waiting and not self._closed:
                painter.busy = True
                return self._waiting.popleft()
        return None

    def _leave_out_abandoned(self) -> None:
        with self._changed:
            for job in [job for job in self._waiting if job.abandoned]:
                self._waiting.remove(job)
                self._ended_unpainted(job)

    def _settle(self, job: Job, outcome: Finished | Failed) -> None:
        if isinstance(outcome, Failed):
            self._fail(job, outcome.message)
            return
        if job.work.folder is not None:
            try:
                job.result = self._keep(job, outcome)
            except (sqlite3.Error, OSError) as error:  # the picture is worth more than its entry
                _log.exception("a picture is not in the history")
                where = f"The picture is in {job.work.folder.name} of the history's folder"
                job.end("failed", f"{where}, but could not be entered ({error}).")
                return
        else:
            self._drop(job)
        job.end("stopped" if outcome.stopped else "done")

    def _fail(self, job: Job, message: str) -> None:
        if not job.over:
            self._drop(job)
            job.end("stopped" if job.stop_asked else "failed", message)
