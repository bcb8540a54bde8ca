"""What is said while a network is trained: the step, the held-out loss, and the time left."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from impasto.cli.progress import (
    SECONDS_BETWEEN_LINES,
    BarDisplay,
    Display,
    LineDisplay,
    duration,
    fitting_display,
)

if TYPE_CHECKING:
    from impasto.training.training_run import TrainingStep


def choose_training_display(*, quiet: bool, json: bool) -> Display[TrainingStep]:
    """As `choose_display`, for a training."""
    return fitting_display(_Bar, _Lines, quiet=quiet, json=json)


class _Lines(LineDisplay["TrainingStep"]):
    """A line on standard error every ten seconds."""

    def __init__(self) -> None:
        self._last = -math.inf

    def show(self, progress: TrainingStep) -> None:
        """Prints a line if it is time for one."""
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES or progress.progress >= 1:
            self._last = now
            self.say(f"{_words(progress)}, {_left(progress)}")


class _Bar(BarDisplay["TrainingStep"]):
    """A bar with the step and the held-out loss."""

    BEGINS = "opening the photographs"

    def show(self, progress: TrainingStep) -> None:
        """Moves the bar."""
        self.move(progress.progress, _words(progress), _left(progress))


def _words(step: TrainingStep) -> str:
    return f"step {step.step}, held-out loss {step.held_out:.3f} (best {step.best:.3f})"


def _left(step: TrainingStep) -> str:
    if not step.progress:
        return "some time left"
    return f"{duration(step.seconds * (1 - step.progress) / step.progress)} left"
