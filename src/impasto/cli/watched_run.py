"""One run from the first step to the written file, whatever comes between."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from impasto.cli.checkpoint_flags import CheckpointFlags
from impasto.cli.interruption import Interrupted, Interruption
from impasto.cli.progress import Display, Position, choose_display, duration
from impasto.cli.run_flags import STANDARD_STREAM, OutputFlags, TraceFlags
from impasto.errors import DivergenceError, OutputError, RegionWarning

if TYPE_CHECKING:
    from impasto.painting.run import Step
    from impasto.pictures.image import Image


class HasImage(Protocol):
    """A step, whatever else it is."""

    @property
    def image(self) -> Image:
        """The picture so far."""


S = TypeVar("S", bound=HasImage)

INTERRUPTED = 130


@dataclass(frozen=True)
class Job(Generic[S]):
    """What a command wants done.

    Attributes:
        begin: imports what is needed, opens the pictures, and returns the steps; the picture of
            the last one is the result.
        position: where in the run a step is.
        target: the file to write; ``-`` for standard output.
        flags: what the user wants to hear.
        traces: what else is kept of the run.
        checkpoints: what it goes on from, and where its state is kept.
    """

    begin: Callable[[], Generator[S, None, Any]]
    position: Callable[[S], Position]
    target: str
    flags: OutputFlags
    traces: TraceFlags = dataclasses.field(default_factory=TraceFlags)
    checkpoints: CheckpointFlags = dataclasses.field(default_factory=CheckpointFlags)

    def files(self) -> dict[str, str]:
        """The files by flag name that are written beside the picture."""
        return {**self.traces.files(), **self.checkpoints.files()}


@dataclass
class _Run(Generic[S]):
    """The state of a job while it runs."""

    last: S | None = None
    warnings: list[str] = dataclasses.field(default_factory=list)
    interrupted: bool = False
    failure: DivergenceError | OutputError | None = None


def perform(job: Job[S], interruption: Interruption) -> int:
    """Runs a job, writes its picture, says so. Returns the exit code.

    Raises:
        ImpastoError: as the Python function behind the command.
        Interrupted: interrupted before there was a picture, or while it was written.
    """
    began = time.monotonic()
    run: _Run[S] = _Run()
    with contextlib.ExitStack() as traces:
        with choose_display(quiet=job.flags.quiet, json=job.flags.json) as display:
            watchers = _open_traces(job.traces, traces)

            def see(step: S) -> None:
                run.last = step
                position = job.position(step)
                display.show(position)
                for watch in watchers:
                    watch(position.step)

            _follow(job, run, display, see, interruption)
        if run.last is None:
            raise run.failure or Interrupted(
                "interrupted before the first step; nothing was written"
            )
        # The picture first: should a film or plot fail, the picture is safe.
        picture = run.last.image
        picture.save(job.target, overwrite=job.flags.overwrite)
    if run.failure is not None:
        kind = type(run.failure)
        raise kind(f"{run.failure}; the picture so far is in {job.target}") from run.failure
    _report(job, run, job.position(run.last), picture, time.monotonic() - began)
    return INTERRUPTED if run.interrupted else 0


def _follow(
    job: Job[S],
    run: _Run[S],
    display: Display,
    see: Callable[[S], None],
    interruption: Interruption,
) -> None:
    """Takes all steps, unless something comes between; notes what it was."""

    def between_steps() -> bool:
        """Whether what can be saved is incomplete; never for long."""
        return run.last is not None and not job.position(run.last).step.latest

    try:
        with interruption.waiting(between_steps), contextlib.closing(_begun(job, run)) as steps:
            for warning in run.warnings:
                display.warn(warning)
            for step in steps:
                see(step)
                if interruption.requested:
                    raise Interrupted
    except KeyboardInterrupt:
        run.interrupted = True
    except (DivergenceError, OutputError) as error:
        run.failure = error


def _begun(job: Job[S], run: _Run[S]) -> Generator[S, None, Any]:
    """The steps; notes what is doubtful about the run."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", RegionWarning)
        steps = job.begin()
    run.warnings += [str(warning.message) for warning in found]
    return steps


def _open_traces(flags: TraceFlags, stack: contextlib.ExitStack) -> list[Callable[[Step], None]]:
    """What watches every step: the film, the log and the plot, where they are asked for."""
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


def _report(job: Job[S], run: _Run[S], position: Position, picture: Image, seconds: float) -> None:
    """The last words of a run."""
    size = f"{picture.width} x {picture.height}"
    target = "standard output" if job.target == STANDARD_STREAM else job.target
    if job.flags.json:
        print(json.dumps(_facts(job, run, position, picture, seconds)), flush=True)
    elif run.interrupted:
        print(
            f"impasto: interrupted at {position.place()} ({position.progress:.0%} done); "
            f"the picture so far ({size}) is in {target}{job.checkpoints.how_to_go_on()}",
            file=sys.stderr,
        )
    elif not job.flags.quiet:
        also = "".join(f", {name} in {path}" for name, path in job.files().items())
        # Standard output belongs to the picture where it is written there.
        stream = sys.stderr if job.target == STANDARD_STREAM else sys.stdout
        back = position.step.taken_back
        if back:
            steps = "1 step" if back == 1 else f"{back} steps"
            also += f"; {steps} taken back because the loss jumped or became NaN"
        also += job.checkpoints.caveat(position.step.machine)
        where = f"on {position.step.machine}"
        print(
            f"wrote {target} ({size}) in {duration(seconds)} {where}{also}", file=stream, flush=True
        )


def _facts(
    job: Job[S], run: _Run[S], position: Position, picture: Image, seconds: float
) -> dict[str, Any]:
    """What ``--json`` prints."""
    recipe = dict(picture.recipe or {})
    losses = position.step.losses
    return {
        "output": str(Path(job.target)),
        "width": picture.width,
        "height": picture.height,
        "seconds": round(seconds, 3),
        "machine": str(position.step.machine),
        "interrupted": run.interrupted,
        "progress": round(position.progress, 6),
        "taken_back": position.step.taken_back,
        "warnings": run.warnings,
        "loss": _number(position.step.loss),
        "losses": {name: _number(value) for name, value in losses.items()},
        **job.files(),
        "settings": recipe.get("settings"),
    }


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None
