"""One run from the first step to the written file, whatever comes between.

Every command that writes one picture goes through `paint_and_save`.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from impasto.cli.checkpoint_flags import CheckpointFlags
from impasto.cli.interruption import Interrupted, interruption
from impasto.cli.progress import Display, RunProgress, choose_display, duration
from impasto.cli.run_flags import OutputFlags, TraceFlags
from impasto.errors import DivergenceError, OutputError, PictureWarning, RegionWarning
from impasto.files import STANDARD_STREAM
from impasto.messages import counted, printable

if TYPE_CHECKING:
    from impasto.painting.run import Step
    from impasto.pictures.image import Image
    from impasto.sheets.plan import SheetStep


S = TypeVar("S", bound="Step | SheetStep")


@dataclass(frozen=True)
class WatchedRun(Generic[S]):
    """A run of steps as a command wants it: shown, recorded, and its picture written.

    Attributes:
        begin: imports what is needed, opens the pictures, and returns the steps; the picture of
            the last one is the result.
        progress: how far the run is at a step.
        target: the file to write; ``-`` for standard output.
        output: what the user wants to hear.
        traces: what else is kept of the run.
        checkpoints: what it goes on from, and where its state is kept.
    """

    begin: Callable[[], Generator[S, None, object]]
    progress: Callable[[S], RunProgress]
    target: str
    output: OutputFlags
    traces: TraceFlags = field(default_factory=TraceFlags)
    checkpoints: CheckpointFlags = field(default_factory=CheckpointFlags)

    def files(self) -> dict[str, str]:
        """The files by flag name that are written beside the picture."""
        return {**self.traces.files(), **self.checkpoints.files()}


@dataclass
class _Outcome(Generic[S]):
    """What has come of a run so far."""

    last: S | None = None
    began: float = field(default_factory=time.monotonic)
    warnings: list[str] = field(default_factory=list)
    interrupted: bool = False
    failure: DivergenceError | OutputError | None = None


def paint_and_save(run: WatchedRun[S]) -> int:
    """Takes all steps, writes the picture, says so. Returns the exit code.

    Raises:
        ImpastoError: as the Python function behind the command.
        Interrupted: interrupted before there was a picture, or while it was written.
    """
    outcome: _Outcome[S] = _Outcome()
    with contextlib.ExitStack() as traces:
        with choose_display(quiet=run.output.quiet, json=run.output.json) as display:
            watchers = _open_traces(run.traces, traces)

            def see(step: S) -> None:
                outcome.last = step
                progress = run.progress(step)
                display.show(progress)
                for watch in watchers:
                    watch(progress.step)

            _follow(run, outcome, display, see)
        if outcome.last is None:
            raise outcome.failure or Interrupted(
                "interrupted before the first step; nothing was written"
            )
        # The picture first: should a film or plot fail, the picture is safe.
        picture = outcome.last.image
        picture.save(run.target, overwrite=run.output.overwrite)
    if outcome.failure is not None:
        kind = type(outcome.failure)
        raise kind(f"{outcome.failure}; the picture so far is in {run.target}") from outcome.failure
    _report(run, outcome, run.progress(outcome.last), picture)
    return interruption.exit_code if outcome.interrupted else 0


def _follow(
    run: WatchedRun[S], outcome: _Outcome[S], display: Display, see: Callable[[S], None]
) -> None:
    """Takes all steps. If something stops them early, ``outcome`` says what it was."""

    def between_steps() -> bool:
        """Whether the next step is half done, and no checkpoint can be saved. Never for long."""
        return outcome.last is not None and not run.progress(outcome.last).step.latest

    try:
        with interruption.waiting(between_steps), contextlib.closing(_begin(run, outcome)) as steps:
            for warning in outcome.warnings:
                display.warn(warning)
            for step in steps:
                see(step)
                if interruption.requested:
                    raise Interrupted
    except KeyboardInterrupt:
        outcome.interrupted = True
    except (DivergenceError, OutputError) as error:
        outcome.failure = error


def _begin(run: WatchedRun[S], outcome: _Outcome[S]) -> Generator[S, None, object]:
    """Begins the run. Adds to ``outcome`` what is doubtful about it; returns the steps."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("ignore")
        for category in (PictureWarning, RegionWarning):
            warnings.simplefilter("always", category)
        steps = run.begin()
    outcome.warnings += [str(warning.message) for warning in found]
    return steps


def _open_traces(flags: TraceFlags, stack: contextlib.ExitStack) -> list[Callable[[Step], None]]:
    """Opens the film, the log and the plot that are asked for; returns what each does at a step."""
    watchers: list[Callable[[Step], None]] = []
    if flags.record is not None:
        from impasto.recording.film import FilmRecorder

        watchers.append(stack.enter_context(FilmRecorder(flags.record)).add)
    if flags.log is not None:
        from impasto.recording.loss_log import LossLog

        watchers.append(stack.enter_context(LossLog(flags.log)).add)
    if flags.plot is not None:
        from impasto.recording.loss_plot import LossPlot

        watchers.append(stack.enter_context(LossPlot(flags.plot)).add)
    return watchers


def _report(
    run: WatchedRun[S], outcome: _Outcome[S], progress: RunProgress, picture: Image
) -> None:
    """Says what has come of the run."""
    seconds = time.monotonic() - outcome.began
    size = f"{picture.width} x {picture.height}"
    target = "standard output" if run.target == STANDARD_STREAM else printable(run.target)
    if run.output.json:
        print(json.dumps(_facts(run, outcome, progress, picture, seconds)), flush=True)
    elif outcome.interrupted:
        print(
            f"impasto: interrupted at {progress.place()} ({progress.share:.0%} done); "
            f"the picture so far ({size}) is in {target}{run.checkpoints.how_to_go_on()}",
            file=sys.stderr,
        )
    elif not run.output.quiet:
        also = "".join(f", {name} in {printable(path)}" for name, path in run.files().items())
        # Standard output belongs to the picture where it is written there.
        stream = sys.stderr if run.target == STANDARD_STREAM else sys.stdout
        back = progress.step.taken_back
        if back:
            also += f"; {counted(back, 'step')} taken back because the loss jumped or became NaN"
        also += run.checkpoints.caveat(progress.step.machine)
        where = f"{duration(seconds)} on {progress.step.machine}"
        print(f"wrote {target} ({size}) in {where}{also}", file=stream, flush=True)


def _facts(
    run: WatchedRun[S], outcome: _Outcome[S], progress: RunProgress, picture: Image, seconds: float
) -> dict[str, object]:
    """What ``--json`` prints."""
    recipe = dict(picture.recipe or {})
    return {
        "output": str(Path(run.target)),
        "width": picture.width,
        "height": picture.height,
        "seconds": round(seconds, 3),
        "machine": str(progress.step.machine),
        "interrupted": outcome.interrupted,
        "progress": round(progress.share, 6),
        "taken_back": progress.step.taken_back,
        "warnings": outcome.warnings,
        "loss": _number(progress.step.loss),
        "losses": {name: _number(value) for name, value in progress.step.losses.items()},
        **run.files(),
        "settings": recipe.get("settings"),
    }


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None
