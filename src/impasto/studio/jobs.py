"""Runs: waiting, watched, stopped.

One thread for each worker process takes the jobs in the order in which they came. A job that
nobody has watched for a while is stopped: its page is closed.
"""

from __future__ import annotations

import logging
import multiprocessing
import secrets
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Literal

from impasto.errors import PictureError, SettingsError
from impasto.images import open_image
from impasto.studio import worker
from impasto.studio.worker import Failed, Finished, Progress, Ready, Shown, Stopping, Work

State = Literal["waiting", "running", "done", "stopped", "failed"]

SECONDS_UNWATCHED = 20.0
"""After so long without anybody watching, a job is stopped."""

SECONDS_TO_STOP = 0.5
"""After so long a worker that does not stop by itself is ended."""

_SECONDS_TO_BEGIN = 60
_KEPT_JOBS = 60
_log = logging.getLogger("impasto.studio")


@dataclass(eq=False)
class Job:
    """One run.

    Attributes:
        owner: whose it is.
        title: what it makes.
        work: for the worker.
        captions: what to write under the parts, where there are several.
        identity: what pages call it by; cannot be guessed.
        state: where it stands; the last three are final.
        progress: the latest, None before the first step.
        previews: the latest picture of each part, as JPEG or WebP.
        versions: how many previews each part had.
        curve: share of the work done and loss, for each step.
        message: what went wrong.
        result: the history's entry.
    """

    owner: str | None
    title: str
    work: Work
    captions: tuple[str, ...] = ()
    identity: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: State = "waiting"
    progress: Progress | None = None
    previews: list[bytes | None] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    curve: list[tuple[float, float]] = field(default_factory=list)
    message: str = ""
    result: str | None = None
    version: int = 0
    stop_asked: bool = False
    latest: Shown | None = field(default=None, repr=False)
    _watchers: int = 0
    _unwatched_since: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        """One place for each part's preview."""
        self.previews = [None] * len(self.work.parts)
        self.versions = [0] * len(self.work.parts)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "stopped", "failed")

    @property
    def abandoned(self) -> bool:
        """Whether nobody has watched it for a while."""
        with self._lock:
            alone = time.monotonic() - self._unwatched_since
            return self._watchers == 0 and alone > SECONDS_UNWATCHED

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Somebody watches for as long as it lasts."""
        with self._lock:
            self._watchers += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers -= 1
                self._unwatched_since = time.monotonic()

    def show(self, shown: Shown) -> None:
        """Takes note of a step."""
        self.progress = shown.progress
        self.curve.append((round(shown.progress.progress, 4), shown.progress.loss))
        if shown.preview is not None:
            part = shown.progress.part
            self.previews[part] = shown.preview
            self.versions[part] += 1
            self.latest = shown
        self.version += 1

    def end(self, state: State, message: str = "") -> None:
        """Nothing more will happen."""
        self.state, self.message, self.latest = state, message, None
        self.version += 1


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
        self._painters = [_Painter(max_pixels, threads) for _ in range(workers)]
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
            thread.join(timeout=15)

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

    def _run(self, painter: _Painter) -> None:
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

    def _next(self, painter: _Painter) -> Job | None:
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


class _Painter:
    """One worker process, started again whenever it was ended."""

    def __init__(self, max_pixels: int, threads: int | None) -> None:
        self._arguments = max_pixels, threads
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self.busy = False
        self.closing = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def warm(self) -> None:
        """Sees to it that a process is ready."""
        if self._process is not None and self._process.is_alive():
            return
        self.close()
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        process = context.Process(target=worker.serve, args=(other, *self._arguments), daemon=True)
        process.start()
        other.close()
        self._process = process
        if not self._became_ready():
            self.close()

    def _became_ready(self) -> bool:
        end = time.monotonic() + _SECONDS_TO_BEGIN
        try:
            while not self.closing and time.monotonic() < end:
                if self._received(0.2) == Ready():
                    return True
        except (EOFError, OSError):
            _log.error("a worker could not be started")
        return False

    def close(self) -> None:
        """Ends the process at once."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def paint(self, job: Job, meanwhile: Callable[[], None]) -> Finished | Failed:
        """Paints a job from beginning to end; calls ``meanwhile`` again and again."""
        job.state = "running"
        job.version += 1
        if self._pipe is None:
            return Failed("no process could be started to paint with; the server's log has more")
        try:
            self._pipe.send(job.work)
            return self._followed(job, meanwhile)
        except (EOFError, OSError):
            code = self._process.exitcode if self._process is not None else None
            _log.error("a worker ended with %s", code)
            self.close()
            return Failed("the process that paints died, probably for want of memory; try smaller")

    def _followed(self, job: Job, meanwhile: Callable[[], None]) -> Finished | Failed:
        deadline = None
        told = False
        while True:
            message = self._received(0.1)
            meanwhile()
            if isinstance(message, Shown):
                job.show(message)
            elif isinstance(message, Stopping):
                deadline = time.monotonic() + 60
            elif isinstance(message, (Finished, Failed)):
                return message
            job.stop_asked = job.stop_asked or job.abandoned
            if job.stop_asked and not told:
                told = True
                deadline = time.monotonic() + SECONDS_TO_STOP
                assert self._pipe is not None
                self._pipe.send(worker.STOP)
            if deadline is not None and time.monotonic() > deadline:
                self.close()
                return _rescued(job)

    def _received(self, seconds: float) -> Any:
        assert self._pipe is not None
        return self._pipe.recv() if self._pipe.poll(seconds) else None


def _rescued(job: Job) -> Finished | Failed:
    """Writes the latest picture of a job whose worker was in the middle of a long step."""
    latest = job.latest
    if latest is None or latest.samples is None:
        return Failed("Stopped before there was anything to see.")
    shown = latest.progress
    if job.work.folder is not None:
        image = replace(open_image(latest.samples), recipe=latest.recipe, bits=latest.bits)
        worker.write_results(image, job.work.folder)
        worker.end_film(image, job.work.folder)
    return Finished(True, shown.width, shown.height, shown.progress, shown.seconds)
