"""One worker process, seen from the server: given an assignment, listened to, ended."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import replace

from impasto.errors import ImpastoError
from impasto.machine.compute import Compute
from impasto.machine.processes import Child, ChildEnded, Inbox
from impasto.pictures.image import open_image
from impasto.studio.failure_messages import count_memory_kills, death_message, failure_message
from impasto.studio.painting_messages import (
    READY,
    STOP,
    STOPPING,
    JobFailed,
    JobFinished,
    StepShown,
    WorkerMessage,
)
from impasto.studio.painting_worker import run_worker
from impasto.studio.picture_folder import add_last_frame, write_results
from impasto.studio.studio_job import StudioJob

SECONDS_TO_STOP = 0.5
"""After so long a worker that does not stop by itself is ended."""

_SECONDS_TO_BEGIN = 300  # long: one that dies is seen at once, and a busy machine is slow
_SECONDS_TO_WRITE = 60
_log = logging.getLogger("impasto.studio")


class PaintingProcess:
    """A worker process, started again whenever it was ended.

    Args:
        compute: what it paints with; it hears this first.
    """

    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self._child: Child | None = None
        self._inbox: Inbox = Inbox()
        self.busy = False
        self.closing = False

    @property
    def pid(self) -> int | None:
        """The number of the process, while there is one."""
        return self._child.pid if self._child is not None else None

    def warm(self) -> None:
        """Sees to it that a process is ready."""
        if self._child is not None and self._child.alive:
            return
        self.close()
        self._inbox = Inbox()  # what an ended process said is of no use
        self._child = Child(run_worker, self._inbox, show_errors=True)
        self._child.send(self._compute)
        if not self._wait_until_ready():
            self.close()

    def _wait_until_ready(self) -> bool:
        end = time.monotonic() + _SECONDS_TO_BEGIN
        while not self.closing and time.monotonic() < end:
            message = self._receive(0.2)
            if message == READY:
                return True
            if isinstance(message, ChildEnded):
                _log.error("a worker could not be started")
                return False
        return False

    def close(self) -> None:
        """Ends the process at once."""
        if self._child is not None:
            self._child.end()
        self._child = None

    def paint(self, job: StudioJob, meanwhile: Callable[[], None]) -> JobFinished | JobFailed:
        """Paints a job from beginning to end; calls ``meanwhile`` again and again."""
        job.begin()
        if self._child is None:
            return JobFailed("no process could be started to paint with; the server's log has more")
        killed_before = count_memory_kills()
        self._child.send(job.assignment)
        outcome = self._follow(job, self._child, meanwhile)
        if isinstance(outcome, ChildEnded):
            _log.error("a worker ended with %s", outcome.code)
            self.close()
            return JobFailed(death_message(outcome, killed_before, count_memory_kills()))
        return outcome

    def _follow(
        self, job: StudioJob, child: Child, meanwhile: Callable[[], None]
    ) -> JobFinished | JobFailed | ChildEnded:
        """Shows what the process sends; ends it where it does not stop in time when asked to."""
        deadline = None  # once it was told to stop
        while True:
            message = self._receive(0.1)
            meanwhile()
            if isinstance(message, StepShown):
                job.show(message)
            elif message == STOPPING:
                deadline = time.monotonic() + _SECONDS_TO_WRITE
            elif isinstance(message, (JobFinished, JobFailed, ChildEnded)):
                return message
            job.stop_asked = job.stop_asked or job.abandoned
            if job.stop_asked and deadline is None:
                deadline = time.monotonic() + SECONDS_TO_STOP
                child.send(STOP)
            if deadline is not None and time.monotonic() > deadline:
                self.close()
                return _write_latest(job)

    def _receive(self, seconds: float) -> WorkerMessage | ChildEnded | None:
        try:
            message: WorkerMessage | ChildEnded = self._inbox.get(timeout=seconds)[1]
        except queue.Empty:
            return None
        return message


def _write_latest(job: StudioJob) -> JobFinished | JobFailed:
    """Writes the latest picture of a job whose worker was in the middle of a long step."""
    latest = job.latest
    if latest is None or latest.samples is None:
        return JobFailed("Stopped before there was anything to see.")
    progress, folder = latest.progress, job.assignment.folder
    if folder is not None:
        image = replace(open_image(latest.samples), recipe=latest.recipe, bits=latest.bits)
        try:
            add_last_frame(image, folder)
            write_results(image, folder)
        except (ImpastoError, OSError) as error:
            return JobFailed(failure_message(error))
    return JobFinished(True, progress.width, progress.height, progress.progress, progress.seconds)
