"""What is said while a picture is painted: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from impasto.cli.standard_error import can_redraw
from impasto.messages import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from impasto.painting.step import Step

SECONDS_BETWEEN_LINES = 10.0

P = TypeVar("P")


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes:
        step: the latest step.
        share: how much of the whole work is done, 0..1.
        part: which part of a larger sheet it is; empty where there is only one picture.
    """

    step: Step
    share: float
    part: str = ""

    def place(self) -> str:
        """Part, level and iteration in words."""
        step = self.step
        height, width = step.size
        part = f"{printable(self.part)}, " if self.part else ""
        if not step.terms:
            return f"{part}painted at once ({width} x {height})"
        return (
            f"{part}level {step.level + 1} of {step.levels} ({width} x {height}), "
            f"iteration {step.iteration} of {step.iterations}"
        )


def choose_display(*, quiet: bool, json: bool) -> Display[RunProgress]:
    """A bar on a terminal that can draw one; else lines, or nothing for a program that reads."""
    return fitting_display(Bar, Lines, quiet=quiet, json=json)


def fitting_display(
    bar: type[Display[P]], lines: type[Display[P]], *, quiet: bool, json: bool
) -> Display[P]:
    """The one of two displays that fits; one that shows nothing where nobody is to see it."""
    if quiet:
        return Display()
    if can_redraw():
        return bar()
    return Display() if json else lines()


class Display(Generic[P]):
    """Shows how far a run is, of progress ``P``; this one shows nothing. A context manager."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to do."""

    def show(self, progress: P) -> None:
        """Shows a new progress; nothing here."""

    def warn(self, message: str) -> None:
        """Says what is doubtful about the run; nothing here."""

    def say(self, message: str) -> None:
        """Says what the run is going to be; nothing here."""


class LineDisplay(Display[P]):
    """Speaks in lines on standard error."""

    def say(self, message: str) -> None:
        """Prints a line."""
        print(printable(message), file=sys.stderr, flush=True)

    def warn(self, message: str) -> None:
        """Prints a line."""
        self.say(f"impasto: {message}")


class BarDisplay(Display[P]):
    """A bar on standard error that goes away when the work is done."""

    BEGINS = ""
    """What stands beside the bar before the first progress."""

    def __init__(self) -> None:
        self._progress, self._task = rich_bar(self.BEGINS)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def move(self, share: float, description: str, left: str) -> None:
        """Moves the bar to a share of the work, 0..1, with words on both sides."""
        self._progress.update(self._task, completed=share, description=description, left=left)

    def say(self, message: str) -> None:
        """Prints a line above the bar."""
        line = printable(message)
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        """Prints a line above the bar."""
        self.say(f"impasto: {message}")


class Lines(LineDisplay[RunProgress]):
    """A line on standard error at the end of every level, and every ten seconds."""

    def __init__(self) -> None:
        self._clock = _Clock()
        self._last = time.monotonic()

    def show(self, progress: RunProgress) -> None:
        """Prints a line if it is time for one."""
        now = time.monotonic()
        left = self._clock.left(progress.share)
        finished = progress.step.iteration == progress.step.iterations
        if not finished and now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        loss = f"loss {progress.step.loss:.4g}, " if progress.step.terms else ""
        self.say(f"{progress.place()}: {loss}{progress.share:.0%} done, {left} left")


class Bar(BarDisplay[RunProgress]):
    """A bar with level, iteration and loss."""

    BEGINS = "loading the network"

    def __init__(self) -> None:
        super().__init__()
        self._clock = _Clock()

    def show(self, progress: RunProgress) -> None:
        """Moves the bar."""
        part = f"{printable(progress.part)}  " if progress.part else ""
        left = f"{self._clock.left(progress.share)} left"
        self.move(progress.share, f"{part}{_place(progress.step)}", left)


def _place(step: Step) -> str:
    if not step.terms:
        return "painted at once"
    return (
        f"level {step.level + 1}/{step.levels}  iteration {step.iteration}/{step.iterations}  "
        f"loss {step.loss:.4g}"
    )


def rich_bar(description: str) -> tuple[Progress, TaskID]:
    """A bar on standard error for work of 1, and its task."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )
    return progress, progress.add_task(description, total=1.0, left="")


class _Clock:
    """Estimates the time left: the share counts work, so it grows evenly with time."""

    def __init__(self) -> None:
        self._start: tuple[float, float] | None = None

    def left(self, share: float) -> str:
        """Time left as text; asked once for every step, as the first one starts the clock."""
        now = time.monotonic()
        if self._start is None:
            self._start = now, share
        began, already = self._start
        if share >= 1:
            return duration(0)
        if share <= already:
            return "some time"
        return duration((now - began) * (1 - share) / (share - already))


def duration(seconds: float) -> str:
    """Seconds in words: ``8 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
