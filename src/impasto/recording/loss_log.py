"""The log of every loss term: JSON Lines, one object per iteration.

::

    {"level": 0, "iteration": 3, "width": 128, "height": 96, "seconds": 1.52, "loss": 4.1,
     "losses": {"content/conv4_2": 1.3, "style/relu1_1": 2.8}}
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from typing import BinaryIO, Protocol

from impasto.files import check_file, path_of, reporting_failure


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

    Raises:
        OutputError: The folder is missing or not writable.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path_of(path)
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
                self._file = self.path.open("wb", buffering=0)
            whole = self._file.tell() if self._file.seekable() else None
            if self._file.write(line) != len(line):
                if whole is not None:
                    self._file.truncate(whole)
                raise OSError("the disk is full")

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> LossLog:
        """Return the log itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()


def _finite_or_none(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
