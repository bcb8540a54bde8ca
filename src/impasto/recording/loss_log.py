"""The log of every loss term: JSON Lines, one object per iteration.

::

    {"level": 0, "iteration": 3, "width": 128, "height": 96, "seconds": 1.52, "loss": 4.1,
     "losses": {"content/conv4_2": 1.3, "style/relu1_1": 2.8}}
"""

from __future__ import annotations

import json
import math
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from impasto.errors import OutputError
from impasto.files import check_file, kind_at, path_of, real_path, reporting_failure, written_beside
from impasto.recording.closing import close_behind


class LoggedStep(Protocol):
    """What a log or a plot of losses needs to know of a step."""

    @property
    def level(self) -> int:
        """Level of the pyramid, from 0."""

    @property
    def iteration(self) -> int:
        """Iteration within the level, from 1: that of the picture that it starts from."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""

    @property
    def loss(self) -> float:
        """The total."""

    @property
    def losses(self) -> Mapping[str, float]:
        """Every term by name, as in ``style/relu1_1``."""


class LossLog:
    """Writes a line per step while the run goes on. Use it as a context manager.

    Args:
        path: The JSON Lines file to write. It is whole lines at any moment; an existing file is
            replaced at the first step. A pipe or a device is written to as it is.
        overwrite: Whether an existing file is replaced; else the log is written beside it.

    Attributes:
        path: Where the log is from the first step on.

    Raises:
        OutputError: The folder is missing or not writable.
    """

    def __init__(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> None:
        self.path = path_of(path)
        self._overwrite = overwrite
        check_file(self.path, f"log {self.path}", replaced=False)
        self._file: BinaryIO | None = None
        self._started = time.monotonic()

    def add(self, step: LoggedStep) -> None:
        """Write the line of a step. Losses that are not finite become null.

        Raises:
            OutputError: The log cannot be written.
        """
        height, width = step.size
        facts = {
            "level": step.level,
            "iteration": step.iteration,
            "width": width,
            "height": height,
            "seconds": round(time.monotonic() - self._started, 3),
            "loss": _finite_or_none(step.loss),
            "losses": {name: _finite_or_none(value) for name, value in step.losses.items()},
        }
        line = json.dumps(facts, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        with reporting_failure(f"log {self.path}"):
            if self._file is None:
                self.path = written_beside(self.path, self._open)
            assert self._file is not None
            whole = self._file.tell() if self._file.seekable() else None
            if self._file.write(line) != len(line):
                if whole is not None:
                    self._file.truncate(whole)
                raise OSError("the disk is full")

    def _open(self, path: Path) -> None:
        mode = "wb" if self._overwrite or kind_at(path) == "other" else "xb"
        self._file = cast(BinaryIO, real_path(path).open(mode, buffering=0))

    def close(self) -> None:
        """Close the file. A second call does nothing.

        Raises:
            OutputError: The log was deleted meanwhile, perhaps with its folder.
        """
        if self._file is None or self._file.closed:
            return
        with self._file:
            about = os.fstat(self._file.fileno())
        if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
            raise OutputError(f"log {self.path}: was deleted while the run went on")

    def __enter__(self) -> LossLog:
        """Return the log itself."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close the file; an error of the block itself is never hidden by one of the log."""
        close_behind(error, self.close)


def _finite_or_none(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
