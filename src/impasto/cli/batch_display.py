"""What is said while a batch is painted: a bar, lines now and then, or JSON events."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.cli.progress import SECONDS_BETWEEN_LINES, duration, rich_bar
from impasto.cli.standard_error import can_redraw
from impasto.messages import counted, printable

if TYPE_CHECKING:
    from impasto.batch.batch_job import BatchJob, BatchResult
    from impasto.batch.batch_plan import BatchPlan
    from impasto.batch.worker_messages import WorkerMessage

_MOST_NAMED = 3


@dataclass
class BatchTally:
    """How far a batch is.

    Attributes:
        jobs: how many there are.
        before: how many were done before.
        errors: by name of the result why it failed.
        made: how many were painted.
        lost: seconds of painting that were lost with workers.
        losses: how many pictures were lost with workers, to be painted again.
        current: progress of the pictures in work, 0..1, by name of the result.
        began: when the work began, by the monotonic clock.
        passed_over: files that are no pictures, of the folders that were named.
    """

    jobs: int
    before: int
    errors: dict[str, str]
    made: int = 0
    lost: float = 0.0
    losses: int = 0
    current: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    passed_over: Sequence[str] = ()

    @property
    def done(self) -> int:
        """Pictures that are there."""
        return self.before + self.made

    @property
    def count(self) -> str:
        """How many are there, in words: ``3 of 9 pictures``."""
        return f"{self.done} of {counted(self.jobs, 'picture')}"

    @property
    def progress(self) -> float:
        """Share of the whole, parts of pictures included."""
        return (self.done + len(self.errors) + sum(self.current.values())) / max(1, self.jobs)

    @property
    def per_minute(self) -> float:
        """Pictures per minute since the work began."""
        seconds = time.monotonic() - self.began
        return (self.made + sum(self.current.values())) / seconds * 60 if seconds else 0.0

    @property
    def left(self) -> float | None:
        """Seconds left at this pace; None where there is no telling."""
        open_pictures = self.jobs * (1 - self.progress)
        return open_pictures / self.per_minute * 60 if self.per_minute else None

    def words(self) -> str:
        """The tally in one line: ``3 of 9 pictures, 1 failed, 2.0 a minute, 3 min 00 s left``."""
        left = "" if self.left is None else f", {duration(self.left)} left"
        failed = f", {len(self.errors)} failed" if self.errors else ""
        pace = f", {self.per_minute:.1f} a minute{left}" if self.made else ""  # none to go by yet
        return f"{self.count}{failed}{pace}"


class BatchDisplay:
    """Keeps the tally, and says nothing until the end. A context manager.

    Args:
        tally: how far the batch is.
    """

    def __init__(self, tally: BatchTally) -> None:
        self.tally = tally

    def __enter__(self) -> BatchDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to do."""

    def start(self, plan: BatchPlan) -> None:
        """Hears what there is to do, as the work begins."""
        self.tally.began = time.monotonic()

    def hear(
        self, message: WorkerMessage | None, result: BatchResult | None, plan: BatchPlan
    ) -> None:
        """Keeps the tally, by a message of the engine and the result that it brought, if any."""
        from impasto.batch.worker_messages import PaintingBegun, PaintingProgress, PictureLost

        if message is None:
            return self.show()
        tally, job = self.tally, plan.todo[message.number]
        if isinstance(message, PaintingBegun | PaintingProgress):
            tally.current[job.name] = getattr(message, "progress", 0.0)
        else:
            tally.current.pop(job.name, None)
        if isinstance(message, PictureLost) and message.seconds is not None:
            tally.lost += message.seconds
            tally.losses += 1
        if result is not None and result.error:
            tally.errors[job.name] = result.error
        elif result is not None:
            tally.made += 1
        self.tell(message, result, job)
        return self.show()

    def tell(self, message: WorkerMessage, result: BatchResult | None, job: BatchJob) -> None:
        """Says something about the message; nothing here."""

    def show(self) -> None:
        """Shows the tally if it is time; nothing here."""

    def close(self) -> None:
        """What is left to do when all pictures are there; nothing here."""

    def end(self, seconds: float, output: str, gallery: str | None, *, interrupted: bool) -> None:
        """Names what failed, each error once."""
        say_errors(self.tally.errors.values())


class BatchLines(BatchDisplay):
    """A line every ten seconds, and one at the end."""

    def __init__(self, tally: BatchTally) -> None:
        super().__init__(tally)
        self._last = time.monotonic()

    def start(self, plan: BatchPlan) -> None:
        """Says what there is to do."""
        super().start(plan)
        also = f"{len(plan.done)} are done" if plan.done else ""
        again = f"{len(plan.again)} anew, as they or their inputs changed" if plan.again else ""
        skipped = f"{len(plan.failed)} failed before (--retry tries again)" if plan.failed else ""
        parts = [f"{counted(len(plan.todo), 'picture')} to paint", also, again, skipped]
        if self.tally.passed_over:
            print(passed_over_words(self.tally.passed_over), file=sys.stderr)
        print("; ".join(filter(None, parts)), file=sys.stderr, flush=True)

    def show(self) -> None:
        """Prints a line if it is time for one."""
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            current = printable("; ".join(self.tally.current))
            print(f"{self.tally.words()}: {current}", file=sys.stderr, flush=True)

    def end(self, seconds: float, output: str, gallery: str | None, *, interrupted: bool) -> None:
        """Says what is done, and how long it took."""
        super().end(seconds, output, gallery, interrupted=interrupted)
        tally = self.tally
        if interrupted:
            return
        before = f", {tally.before} of them before" if tally.before else ""
        failed = f", {len(tally.errors)} failed" if tally.errors else ""
        lost = ""
        if tally.losses:
            lost = f"; {tally.losses} were painted again as their workers died, "
            lost += f"{duration(tally.lost)} of painting lost"
        sheet = f"; gallery in {printable(gallery)}" if gallery else ""
        place = printable(output)
        print(
            f"{tally.count} in {place}{before}{failed} ({duration(seconds)}{lost}){sheet}",
            flush=True,
        )


class BatchBar(BatchLines):
    """A bar with the pictures in work below it."""

    def __init__(self, tally: BatchTally) -> None:
        super().__init__(tally)
        self._progress, self._task = rich_bar("starting the workers")

    def __enter__(self) -> BatchBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self) -> None:
        """Moves the bar."""
        tally = self.tally
        current = ", ".join(f"{name} {share:.0%}" for name, share in tally.current.items())
        left = "" if tally.left is None else f", {duration(tally.left)} left"
        failed = f", {len(tally.errors)} failed" if tally.errors else ""
        self._progress.update(
            self._task,
            completed=tally.progress,
            description=f"{tally.done}/{tally.jobs}{failed}  {printable(current)}",
            left=f"{tally.per_minute:.1f} a minute{left}",
        )


class BatchEvents(BatchDisplay):
    """Every event as a JSON object on a line of its own, on standard output.

    When nobody reads them any more the batch goes on, and fails in `close` if that was an error.
    """

    def __init__(self, tally: BatchTally) -> None:
        super().__init__(tally)
        self._stream = sys.stdout
        self._unheard: OSError | None = None

    def start(self, plan: BatchPlan) -> None:
        """Says what there is to do."""
        super().start(plan)
        self._say(
            "start", jobs=self.tally.jobs, todo=len(plan.todo), done=len(plan.done),
            failed=len(plan.failed), again=len(plan.again),
            passed_over=len(self.tally.passed_over),
        )  # fmt: skip

    def tell(self, message: WorkerMessage, result: BatchResult | None, job: BatchJob) -> None:
        """One event for each message."""
        from impasto.batch.worker_messages import PaintingBegun, PaintingProgress, PictureLost

        facts = {"name": job.name, "content": job.content, "styles": job.styles}
        if isinstance(message, PaintingBegun):
            self._say("began", **facts, worker=message.worker)
        elif isinstance(message, PaintingProgress):
            left = self.tally.left
            self._say(
                "progress", name=job.name, progress=round(message.progress, 4),
                whole=round(self.tally.progress, 4), per_minute=round(self.tally.per_minute, 2),
                seconds_left=None if left is None else round(left),
            )  # fmt: skip
        elif isinstance(message, PictureLost):
            self._say("lost", **facts, why=message.why, seconds=message.seconds)
        if result is not None and result.error:
            self._say("failed", **facts, error=result.error)
        elif result is not None:
            steps = getattr(message, "steps", 0.0)
            self._say(
                "done", **facts, path=result.path, seconds=round(result.seconds, 3),
                steps=round(steps, 3),
            )  # fmt: skip

    def end(self, seconds: float, output: str, gallery: str | None, *, interrupted: bool) -> None:
        """Says what is done, and how long it took."""
        tally = self.tally
        self._say(
            "end", jobs=tally.jobs, done=tally.done, painted=tally.made, failed=len(tally.errors),
            errors=tally.errors, seconds=round(seconds, 3), output=output, gallery=gallery,
            lost=tally.losses, seconds_lost=round(tally.lost, 3), interrupted=interrupted,
        )  # fmt: skip

    def _say(self, event: str, **facts: Any) -> None:
        if self._unheard is None:
            try:
                print(json.dumps({"event": event, **facts}), file=self._stream, flush=True)
            except OSError as error:
                self._unheard = error

    def close(self) -> None:
        """Raises the error for which events could not be written, if there was one."""
        if self._unheard is not None:
            raise self._unheard


def say_errors(errors: Iterable[str], most: int | None = None) -> None:
    """Each error once, a line on standard error; of more than ``most`` how many they are."""
    from impasto.batch.batch_job import errors_once

    lines = errors_once(errors)
    for error in lines[:most]:
        print(f"impasto: {printable(error)}", file=sys.stderr)
    if most is not None and len(lines) > most:
        print(f"impasto: and {counted(len(lines) - most, 'error')} more", file=sys.stderr)


def passed_over_words(files: Sequence[str]) -> str:
    """How many files were passed over, and the first of them."""
    names = ", ".join(printable(Path(file).name) for file in files[:_MOST_NAMED])
    more = len(files) - _MOST_NAMED
    also = f" and {more} more" if more > 0 else ""
    no_pictures = "is no picture" if len(files) == 1 else "are no pictures"
    return f"passed over {counted(len(files), 'file')} that {no_pictures}: {names}{also}"


def choose_batch_display(tally: BatchTally, *, quiet: bool, json: bool) -> BatchDisplay:
    """A bar on a terminal that can draw one, lines elsewhere; events if ``json``; errors alone if
    ``quiet``.
    """
    if json:
        return BatchEvents(tally)
    if quiet:
        return BatchDisplay(tally)
    return BatchBar(tally) if can_redraw() else BatchLines(tally)
