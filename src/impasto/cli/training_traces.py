"""What else is kept of a training: the plot and the log of its losses."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from impasto.files import appeared

if TYPE_CHECKING:
    from impasto.recording.loss_log import LossLog
    from impasto.recording.loss_plot import LossPlot
    from impasto.training.training_run import TrainingStep


_HELD_OUT = "held-out photographs"


class Trace(Protocol):
    """A plot or a log: takes steps, and is in a file in the end."""

    @property
    def path(self) -> Path:
        """Where it is."""

    def add(self, step: TrainingStep, /) -> None:
        """Takes a step in."""


def open_traces(
    stack: contextlib.ExitStack,
    *,
    plot: Path | None,
    log: Path | None,
    overwrite: bool,
) -> dict[str, Trace]:
    """Opens the plot and the log that are asked for; by the names of their flags.

    Args:
        stack: closes them.
        plot: the plot to write.
        log: the log to write.
        overwrite: whether existing files may be replaced.

    Raises:
        OutputError: one cannot be written there.
        MissingExtraError: a plot, and ``impasto[plot]`` is not installed.
    """
    traces: dict[str, Trace] = {}
    if log is not None:
        from impasto.recording.loss_log import LossLog

        traces["log"] = _Logged(stack.enter_context(LossLog(log, overwrite=overwrite)))
    if plot is not None:
        from impasto.recording.loss_plot import LossPlot, PlotWords

        # That its cache cannot be written is of no interest, least of all with --quiet.
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        words = PlotWords(step="step", total="crop of the step", main=_HELD_OUT, sizes=False)
        drawn = stack.enter_context(LossPlot(plot, overwrite=overwrite, words=words))
        traces["plot"] = _Plotted(drawn)
    return traces


def moved_words(traces: Mapping[str, Trace], asked: Mapping[str, Path | None]) -> list[str]:
    """What to say of each trace that is not where it was asked for."""
    return [
        appeared(asked[name], name, trace.path)
        for name, trace in traces.items()
        if trace.path != asked[name]
    ]


@dataclass(frozen=True)
class _RecordedStep:
    """A step of a training as logs and plots take it: a training has a single level."""

    iteration: int
    size: tuple[int, int]
    loss: float
    losses: dict[str, float]
    level: int = 0


@dataclass(frozen=True)
class _Plotted:
    """Hands every step to a plot: its crop's loss, and where they are new those that tell more."""

    plot: LossPlot

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.plot.path

    def add(self, step: TrainingStep) -> None:
        """Notes a step."""
        judged = {_HELD_OUT: step.held_out, "best so far": step.best} if step.judged else {}
        size = (step.crop, step.crop)
        self.plot.add(_RecordedStep(step.step, size, step.loss, judged))


@dataclass(frozen=True)
class _Logged:
    """Hands every step to a log: the terms of its crop, and the held-out loss where it is new."""

    log: LossLog

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.log.path

    def add(self, step: TrainingStep) -> None:
        """Writes a step; one that only tells where a resumed training stands has nothing new."""
        if not step.terms and not step.judged:
            return
        held_out = {"held_out": step.held_out} if step.judged else {}
        size = (step.crop, step.crop)
        self.log.add(_RecordedStep(step.step, size, step.loss, {**step.losses, **held_out}))
