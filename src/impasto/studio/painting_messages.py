"""What the server and a worker process tell each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from impasto.studio.order_files import OrderFiles

STOP = "stop"
"""Asks the worker to write the picture so far, and to go on with the next assignment."""

READY: Final = "ready"
"""The worker can begin."""

STOPPING: Final = "stopping"
"""The worker heard `STOP`, and is writing the picture so far."""


@dataclass(frozen=True)
class WorkerAssignment:
    """What a worker is asked to paint.

    Attributes:
        files: the pictures and settings of the order.
        parts: what each part changes of the settings; one part for a single picture.
        folder: where the results go; None for parts that are only looked at.
    """

    files: OrderFiles
    parts: tuple[Mapping[str, Any], ...]
    folder: Path | None


@dataclass(frozen=True)
class JobProgress:
    """Where a job is: ``progress`` is the share that is done, ``seconds`` count from its start."""

    part: int
    level: int
    levels: int
    iteration: int
    iterations: int
    width: int
    height: int
    progress: float
    loss: float
    seconds: float


@dataclass(frozen=True)
class StepShown:
    """A step of a job.

    Attributes:
        progress: where the job is.
        preview: the picture as JPEG, or WebP with alpha; None where the last one was just now.
        samples: (H, W, 3 | 4) uint16, to save if the worker has to be ended; only with a preview.
        recipe: what made the picture so far.
        bits: 8 or 16, as it is to be saved.
    """

    progress: JobProgress
    preview: bytes | None = None
    samples: NDArray[np.uint16] | None = None
    recipe: Mapping[str, Any] | None = None
    bits: int = 8


@dataclass(frozen=True)
class JobFinished:
    """All files are written; ``stopped`` says whether the picture was stopped before its end."""

    stopped: bool
    width: int
    height: int
    progress: float
    seconds: float


@dataclass(frozen=True)
class JobFailed:
    """The job failed; ``message`` is one line for the user."""

    message: str


WorkerMessage = Literal["ready", "stopping"] | StepShown | JobFinished | JobFailed
"""All that a worker sends."""
