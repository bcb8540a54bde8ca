"""One run from the first step to the written file, whatever comes between.

Every command that writes one picture goes through `paint_and_save`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from impasto.cli.checkpoint_flags import CheckpointFlags
from impasto.cli.cluster_log import passing_on_log
from impasto.cli.finished_files import save_somewhere
from impasto.cli.interruption import Interrupted, interruption
from impasto.cli.progress import Display, RunProgress, choose_display, duration
from impasto.cli.run_flags import OutputFlags, TraceFlags
from impasto.errors import ClusterError, DivergenceError, OutputError
from impasto.files import STANDARD_STREAM, appeared, displaced_error
from impasto.messages import counted, printable
from impasto.own_warnings import hearing_warnings

if TYPE_CHECKING:
    from impasto.painting.step import Step
    from impasto.pictures.image import Image
    from impasto.sheets.plan import SheetStep
    from impasto.sheets.proof import ProofStep


_Failure = ClusterError | DivergenceError | OutputError
"""What may stop a run that has begun: the picture so far is written."""

S = TypeVar("S", bound="Step | SheetStep | ProofStep")


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
        notes: what is said before the first step; ``begin`` may add to it.
        bits: depth of the file; None for the picture's own.
        displaced: what to say at a step of files that are elsewhere than it was asked.
    """

    begin: Callable[[], Generator[S, None, object]]
    progress: Callable[[S], RunProgress]
    target: str
    output: OutputFlags
    traces: TraceFlags = field(default_factory=TraceFlags)
    checkpoints: CheckpointFlags = field(default_factory=CheckpointFlags)
    notes: list[str] = field(default_factory=list)
    bits: int | None = None
    displaced: Callable[[S], Sequence[str]] = lambda _: ()

    def files(self) -> dict[str, str]:
        """The files by flag name that are written beside the picture."""
        return {**self.traces.files(), **self.checkpoints.files()}


class _Trace(Protocol):
    """A film, a log or a plot: takes steps, and is in a file in the end."""

    path: Path

    def add(self, step: Step, /) -> None:
        """Takes a step in."""


@dataclass
class _Outcome(Generic[S]):
    """What has come of a run so far."""

    last: S | None = None
    began: float = field(default_factory=time.monotonic)
    warnings: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # why a film, a plot or a log is not there
    interrupted: bool = False
    failure: _Failure | None = None


def paint_and_save(run: WatchedRun[S]) -> int:
    """Takes all steps, writes the picture, says so. Returns the exit code.

    Raises:
        ImpastoError: as the Python function behind the command.
        Interrupted: interrupted before there was a picture, or while it was written.
    """
    outcome: _Outcome[S] = _Outcome()
    with contextlib.ExitStack() as stack:
        with choose_display(quiet=run.output.quiet, json=run.output.json) as display:
            traces = _open_traces(run, stack)

            def see(step: S) -> None:
                outcome.last = step
                progress = run.progress(step)
                display.show(progress)
                for trace in traces.values():
                    trace.add(progress.step)

            with passing_on_log(display.warn):
                _follow(run, outcome, display, see)
        if outcome.last is None:
            raise outcome.failure or Interrupted(
                "interrupted before the first step; nothing was written"
            )
        # The picture first: should a film or plot fail, the picture is safe.
        picture, overwrite = outcome.last.image, run.output.overwrite
        place, remark = save_somewhere(picture, run.target, overwrite=overwrite, bits=run.bits)
        try:
            stack.close()
        except OutputError as error:
            outcome.lost = [str(error), *getattr(error, "__notes__", ())]
    places = {**{name: trace.path for name, trace in traces.items()}, **run.checkpoints.places()}
    remarks = [*filter(None, [remark]), *_moved_words(run, places), *run.displaced(outcome.last)]
    return _end(run, outcome, picture, place, remarks)


def _end(
    run: WatchedRun[S], outcome: _Outcome[S], picture: Image, place: str, remarks: list[str]
) -> int:
    """Says what has come of a run whose picture is in ``place``. Returns the exit code.

    Raises:
        DivergenceError, OutputError: what stopped the run.
        OutputError: files are elsewhere than it was asked, of which ``remarks`` tell.
    """
    assert outcome.last is not None
    progress = run.progress(outcome.last)
    remarks = [*outcome.lost, *remarks]
    so_far = " so far" if progress.share < 1 else ""
    where = [f"the picture{so_far} is in {place}"] if place == run.target else []  # else told
    if outcome.failure is not None:
        raise _with_words(outcome.failure, [*remarks, *where]) from outcome.failure
    if remarks and not outcome.interrupted:
        raise displaced_error([*remarks, *(where if outcome.lost else [])])
    _report(run, outcome, progress, picture, place, remarks)
    return interruption.exit_code if outcome.interrupted else 0


def _moved_words(run: WatchedRun[S], places: Mapping[str, Path]) -> list[str]:
    """What to say of each file beside the picture that is not where it was asked for."""
    return [
        appeared(asked, _TRACES[name], places[name])
        for name, asked in run.files().items()
        if str(places.get(name, asked)) != asked
    ]


def _with_words(failure: _Failure, words: list[str]) -> Exception:
    """What stopped a run that had begun, with what became of the files."""
    error = type(failure)("; ".join([str(failure), *words]))
    error.exit_code = 1  # nothing impossible was asked for
    return error


_TRACES = {"record": "film", "plot": "plot", "log": "log", "checkpoint": "checkpoint"}


def _follow(
    run: WatchedRun[S],
    outcome: _Outcome[S],
    display: Display[RunProgress],
    see: Callable[[S], None],
) -> None:
    """Takes all steps. If something stops them early, ``outcome`` says what it was."""

    def between_steps() -> bool:
        """Whether the next step is half done, and no checkpoint can be saved. Never for long."""
        return outcome.last is not None and not run.progress(outcome.last).step.latest

    try:
        with interruption.waiting(between_steps), contextlib.closing(_begin(run, outcome)) as steps:
            for warning in outcome.warnings:
                display.warn(warning)
            for note in run.notes:
                display.say(note)
            for step in steps:
                see(step)
                if interruption.requested:
                    raise Interrupted
    except KeyboardInterrupt:
        outcome.interrupted = True
    except (ClusterError, DivergenceError, OutputError) as error:
        outcome.failure = error


def _begin(run: WatchedRun[S], outcome: _Outcome[S]) -> Generator[S, None, object]:
    """Begins the run. Adds to ``outcome`` what is doubtful about it; returns the steps."""
    with hearing_warnings() as heard:
        steps = run.begin()
        outcome.warnings += map(str, heard.news())
    return steps


def _open_traces(run: WatchedRun[S], stack: contextlib.ExitStack) -> dict[str, _Trace]:
    """Opens the film, the log and the plot that are asked for; by the names of their flags."""
    flags, overwrite = run.traces, run.output.overwrite
    traces: dict[str, _Trace] = {}
    if flags.record is not None:
        from impasto.recording.film import FilmRecorder

        film = FilmRecorder(flags.record, overwrite=overwrite)
        traces["record"] = stack.enter_context(film)
    if flags.log is not None:
        from impasto.recording.loss_log import LossLog

        traces["log"] = stack.enter_context(LossLog(flags.log, overwrite=overwrite))
    if flags.plot is not None:
        from impasto.recording.loss_plot import LossPlot

        # That its cache cannot be written is of no interest, least of all with --quiet.
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        traces["plot"] = stack.enter_context(LossPlot(flags.plot, overwrite=overwrite))
    return traces


def _report(
    run: WatchedRun[S],
    outcome: _Outcome[S],
    progress: RunProgress,
    picture: Image,
    place: str,
    remarks: Sequence[str],
) -> None:
    """Says what has come of the run, whose picture is in ``place``."""
    seconds = time.monotonic() - outcome.began
    size = f"{picture.width} x {picture.height}"
    target = "standard output" if place == STANDARD_STREAM else printable(place)
    if run.output.json:
        print(json.dumps(_facts(run, outcome, progress, picture, seconds, place)), flush=True)
    elif outcome.interrupted:
        words = printable("".join(f"{remark}; " for remark in remarks))
        print(
            f"impasto: {words}interrupted at {progress.place()} ({progress.share:.0%} done); "
            f"the picture so far ({size}) is in {target}{run.checkpoints.how_to_go_on()}",
            file=sys.stderr,
        )
    elif not run.output.quiet:
        also = "".join(f", {name} in {printable(path)}" for name, path in run.files().items())
        # Standard output belongs to the picture where it is written there.
        stream = sys.stderr if run.target == STANDARD_STREAM else sys.stdout
        back = progress.step.taken_back
        if back:
            also += f"; {counted(back, 'step')} shortened, as the loss had risen"
        also += run.checkpoints.caveat(progress.step.machine)
        where = f"{duration(seconds)} on {progress.step.machine}"
        print(f"wrote {target} ({size}) in {where}{also}", file=stream, flush=True)


def _facts(
    run: WatchedRun[S],
    outcome: _Outcome[S],
    progress: RunProgress,
    picture: Image,
    seconds: float,
    place: str,
) -> dict[str, object]:
    """What ``--json`` prints."""
    recipe = dict(picture.recipe or {})
    return {
        "output": str(Path(place)),
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
