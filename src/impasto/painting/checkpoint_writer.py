"""When checkpoints are written, and which files they may replace."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from functools import partial

from impasto.errors import CheckpointError, ClusterError, OutputError
from impasto.files import check_file, path_of, written_beside
from impasto.painting.checkpoint import load_checkpoint, save_checkpoint
from impasto.painting.step import Step
from impasto.tasks.task import Task

SECONDS_BETWEEN = 30.0
"""Seconds of work that may be lost, where writing takes little time."""

WORK_PER_WRITING = 30.0
"""Writing takes at most one part in so many of the time."""

_REPLACE = "choose another name, delete it, or say --overwrite"


class CheckpointWriter:
    """Writes a run's checkpoint at the end of every level, every so often, and where it breaks off.

    Args:
        path: the file.
        overwrite: whether an existing file may be replaced, whatever it is; else only one of the
            same run.

    Attributes:
        path: the file; another one beside it where something has taken its name during the run.

    Raises:
        OutputError: the path is a folder, or cannot be written to.
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        self.path = path_of(path)
        self._overwrite = overwrite
        self._begun = True  # whether the file is this run's, or may be replaced
        check_file(self.path, f"checkpoint {path}")

    def check(self, task: Task, *, resumed: bool) -> None:
        """Checks before the work whether a file that exists may be replaced.

        Args:
            task: what the run is to do.
            resumed: whether it goes on from a checkpoint.

        Raises:
            OutputError: the file is not of this run, or it holds work that would be lost.
        """
        if self._overwrite:
            return
        if not os.path.lexists(self.path):
            self._begun = False
            return
        try:
            found = load_checkpoint(self.path).facts
        except CheckpointError as error:
            raise OutputError(
                f"checkpoint {self.path}: exists already and cannot be told to be of this run "
                f"({error}); {_REPLACE}"
            ) from error
        difference = found.difference(task)
        if difference is not None:
            raise OutputError(
                f"checkpoint {self.path}: exists already and is of another run: {difference}; "
                f"{_REPLACE}"
            )
        if not (resumed or found.finished):
            raise OutputError(
                f"checkpoint {self.path}: holds this run, {found.progress:.0%} done; go on with "
                f"--resume {self.path} (resume= in Python), or {_REPLACE}"
            )

    def watch(self, steps: Iterator[Step]) -> Generator[Step, None, None]:
        """Passes steps on and saves them as it goes; also where the run is broken off.

        Raises:
            OutputError: (while iterating) the checkpoint cannot be written.
        """
        unsaved: Step | None = None
        written, cost = time.monotonic(), 0.0
        try:
            for step in steps:
                unsaved = step
                yield step
                began = time.monotonic()
                due = began - written >= max(SECONDS_BETWEEN, WORK_PER_WRITING * cost)
                if due or step.level_done:
                    self._save(step)
                    unsaved, written = None, time.monotonic()
                    # A level's end, without its optimiser, tells nothing about the next level.
                    cost = 0.0 if step.level_done else written - began
        except (GeneratorExit, KeyboardInterrupt, ClusterError):
            if unsaved is not None and unsaved.latest:
                self._save(unsaved)
            raise

    def _save(self, step: Step) -> None:
        write = partial(save_checkpoint, step=step, overwrite=self._begun)
        self.path = written_beside(self.path, write)
        self._begun = True


CheckpointTarget = str | os.PathLike[str] | CheckpointWriter | None
"""Where checkpoints are kept: a file, a `CheckpointWriter`, or nowhere."""
