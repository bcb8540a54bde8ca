"""One worker process, seen from the server: given work, listened to, ended."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from impasto.errors import ImpastoError
from impasto.pictures.image import open_image
from impasto.studio import worker
from impasto.studio.jobs import Job
from impasto.studio.mishaps import killed_for_memory, words_of, words_of_death
from impasto.studio.worker import Failed, Finished, Ready, Shown, Stopping

SECONDS_TO_STOP = 0.5
"""After so long a worker that does not stop by itself is ended."""

_SECONDS_TO_BEGIN = 300  # long: one that dies is seen at once, and a busy machine is slow
_log = logging.getLogger("impasto.studio")


class Painter:
    """A worker process, started again whenever it was ended.

    Args:
        max_pixels: the largest picture that it reads.
        threads: how many it computes with; None leaves it to PyTorch.
    """

    def __init__(self, max_pixels: int, threads: int | None) -> None:
        self._arguments = max_pixels, threads
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self.busy = False
        self.closing = False

    @property
    def pid(self) -> int | None:
        """The number of the process, while there is one."""
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
        killed_before = killed_for_memory()
        try:
            self._pipe.send(job.work)
            return self._followed(job, meanwhile)
        except (EOFError, OSError):  # of the pipe
            code = self._exit_code()
            _log.error("a worker ended with %s", code)
            self.close()
            return Failed(words_of_death(code, killed_before, killed_for_memory()))

    def _exit_code(self) -> int | None:
        """How the process ended; None if it has not."""
        if self._process is None:
            return None
        self._process.join(timeout=2)  # its pipe breaks before it is gone
        return self._process.exitcode

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
        try:
            worker.end_film(image, job.work.folder)
            worker.write_results(image, job.work.folder)
        except (ImpastoError, OSError) as error:
            return Failed(words_of(error))
    return Finished(True, shown.width, shown.height, shown.progress, shown.seconds)
