"""All jobs of the studio: those that wait, those that are painted, those that ended.

One thread for each worker process takes the jobs in the order in which they came. A job that
nobody has watched for a while is stopped: its page is closed.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
from collections import OrderedDict, deque
from pathlib import Path

from impasto.errors import PictureError, SettingsError
from impasto.machine.compute import Compute
from impasto.studio.painting_messages import JobFailed, JobFinished
from impasto.studio.painting_process import PaintingProcess
from impasto.studio.picture_history import PictureHistory
from impasto.studio.studio_job import StudioJob
from impasto.studio.studio_options import StudioOptions

_KEPT_JOBS = 60
_log = logging.getLogger("impasto.studio")


class JobQueue:
    """All jobs of the studio.

    Args:
        options: how many jobs are painted at once, how many may wait, how large pictures may be.
        history: gets every job that has a result.
    """

    def __init__(self, options: StudioOptions, history: PictureHistory) -> None:
        self._length, self._history = options.queue_length, history
        self._waiting: deque[StudioJob] = deque()
        self._jobs: OrderedDict[str, StudioJob] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        threads = None if options.jobs == 1 else max(1, (os.cpu_count() or 1) // options.jobs)
        compute = Compute(threads=threads, max_pixels=options.max_pixels)
        self._workers = [PaintingProcess(compute) for _ in range(options.jobs)]
        self._threads = [
            threading.Thread(target=self._serve, args=(worker,), daemon=True)
            for worker in self._workers
        ]

    def start(self) -> None:
        """Starts the workers."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stops everything, and waits until it is."""
        with self._changed:
            self._closed = True
            for worker in self._workers:
                worker.closing = True
            for job in self._jobs.values():
                job.stop_asked = True
            while self._waiting:
                self._end_unpainted(self._waiting.popleft())
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=75)  # longer than a picture that is being written may take

    def submit(self, job: StudioJob) -> StudioJob:
        """Puts a job at the end of the queue.

        Raises:
            SettingsError: the queue is full.
        """
        with self._changed:
            self._sweep()
            idle = sum(not worker.busy for worker in self._workers)
            if len(self._waiting) >= self._length + idle:
                raise SettingsError(
                    f"{len(self._waiting)} pictures are waiting already, and no more may; "
                    "try again in a minute"
                )
            self._waiting.append(job)
            self._jobs[job.identity] = job
            self._changed.notify_all()
        return job

    def find(self, owner: str | None, identity: str) -> StudioJob | None:
        """A job of that owner, if there is one."""
        job = self._jobs.get(identity)
        return job if job is not None and job.owner == owner else None

    def get(self, owner: str | None, identity: str) -> StudioJob:
        """A job of that owner.

        Raises:
            PictureError: there is none.
        """
        job = self.find(owner, identity)
        if job is None:
            raise PictureError(f"there is no run {identity[:40]!r} (any more)")
        return job

    def remembered(self, owner: str | None) -> list[StudioJob]:
        """All jobs of an owner, also those that ended not long ago."""
        with self._changed:
            return [job for job in self._jobs.values() if job.owner == owner]

    def place(self, job: StudioJob) -> int:
        """How many are before it; 0 if it is next or running."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else 0

    def stop(self, job: StudioJob) -> None:
        """Stops a job; the picture so far is kept."""
        with self._changed:
            job.stop_asked = True
            if job in self._waiting:
                self._waiting.remove(job)
                self._end_unpainted(job)
            self._changed.notify_all()

    @property
    def processes(self) -> list[int]:
        """The process numbers of the workers."""
        return [worker.pid for worker in self._workers if worker.pid]

    def _sweep(self) -> None:
        """Forgets the oldest jobs that are over."""
        over = [job for job in self._jobs.values() if job.over]
        for job in over[:-_KEPT_JOBS]:
            del self._jobs[job.identity]
        for job in over[:-8]:  # of most, only the outcome is worth memory
            job.previews = [None] * len(job.previews)

    def _end_unpainted(self, job: StudioJob) -> None:
        _remove_files(job)
        job.end("stopped", "Stopped before it began.")

    def _serve(self, worker: PaintingProcess) -> None:
        """Gives a worker one job after the other; each thread does this for its worker."""
        while not self._closed:
            worker.warm()
            job = self._next(worker)
            if job is not None:
                try:
                    self._settle(job, worker.paint(job, self._leave_out_abandoned))
                except Exception:  # one job must not end the thread that serves all others
                    _log.exception("a job failed")
                    self._fail(job, "the studio failed; its log has more")
                worker.busy = False
        worker.close()

    def _next(self, worker: PaintingProcess) -> StudioJob | None:
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout=1)
            self._leave_out_abandoned()
            if self._waiting and not self._closed:
                worker.busy = True
                return self._waiting.popleft()
        return None

    def _leave_out_abandoned(self) -> None:
        with self._changed:
            for job in [job for job in self._waiting if job.abandoned]:
                self._waiting.remove(job)
                self._end_unpainted(job)

    def _settle(self, job: StudioJob, outcome: JobFinished | JobFailed) -> None:
        if isinstance(outcome, JobFailed):
            self._fail(job, outcome.message)
            return
        folder = job.assignment.folder
        if folder is None:
            _remove_files(job)
        else:
            try:
                job.result = self._history.add(job.owner, folder, job.title, outcome).identity
            except (sqlite3.Error, OSError) as error:  # the picture is worth more than its entry
                _log.exception("a picture is not in the history")
                where = f"The picture is in {folder.name} of the history's folder"
                job.end("failed", f"{where}, but could not be entered ({error}).")
                return
        job.end("stopped" if outcome.stopped else "done")

    def _fail(self, job: StudioJob, message: str) -> None:
        if not job.over:
            _remove_files(job)
            job.end("stopped" if job.stop_asked else "failed", message)


def _remove_files(job: StudioJob) -> None:
    shutil.rmtree(Path(job.assignment.files.content).parent, ignore_errors=True)
