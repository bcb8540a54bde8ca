"""The command that paints many pictures."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from impasto.batch.naming import DEFAULT_TEMPLATE
from impasto.cli.batch_display import (
    BatchDisplay,
    BatchTally,
    choose_batch_display,
    passed_over_words,
    say_errors,
)
from impasto.cli.cluster_log import passing_on_log, print_message, say_nothing
from impasto.cli.interruption import Interrupted, interruption
from impasto.cli.progress import duration
from impasto.cli.run_flags import FilePath, NetworkFlags
from impasto.cli.settings_flags import GivenSettings, setting_flags
from impasto.errors import OutputError, SettingsError
from impasto.messages import counted, printable
from impasto.paths import is_url, local_path
from impasto.settings.groups import FILES, MACHINE, PAINT
from impasto.settings.model import Settings

if TYPE_CHECKING:
    from impasto.batch.batch_job import BatchJob
    from impasto.batch.batch_plan import BatchPlan
    from impasto.batch.batch_run import BatchRun
    from impasto.batch.engine import Engine
    from impasto.batch.estimate import TimeEstimate

_MOST_ERRORS = 20  # that a dry run says


@Parameter(name="*", group=FILES.title)
@dataclass(frozen=True, kw_only=True)
class BatchFlags:
    """What is paired, where the results go, what is said, and where the work is done."""

    output: Annotated[str | None, Parameter(alias="-o", metavar="FOLDER")] = None
    """Folder of the results, made if need be; or a URL: s3://bucket/folder, gs://, file://.
    Also holds the ledger of what is done: the same command again goes on."""

    name: Annotated[str, Parameter(metavar="TEMPLATE")] = DEFAULT_TEMPLATE
    """Names of the results, from a template. Fields are {content}, {style}, {number}, {folder}
    (where the content lies below the folder, or the part of a glob before its first wildcard, that
    was named) and any setting, such as {strength}. The extension chooses the format."""

    pair: Annotated[Literal["all", "zip"], Parameter(group=PAINT.title, metavar="NAME")] = "all"
    """Every content in every style (all), or first in first, second in second (zip)."""

    dry_run: bool = False
    """List what would run, how long it takes, and whose files are missing. The time is estimated
    from some steps on this machine; nothing is written."""

    retry: bool = False
    """Try again what failed in an earlier run."""

    overwrite: bool = False
    """Replace files of this name that are of other settings, or of no batch."""

    gallery: bool = False
    """Write gallery.html too, a contact sheet with recipes."""

    status: Annotated[FilePath | None, Parameter(metavar="FOLDER")] = None
    """Say how far the batch of this folder is, from any terminal, and do nothing else."""

    ledger: Annotated[FilePath | None, Parameter(metavar="FOLDER", show=False)] = None
    """Folder of the ledger, where the results go to a URL."""

    quiet: bool = False
    """Say nothing but errors."""

    json: bool = False
    """Print every event as one JSON object a line."""

    engine: Annotated[Literal["local", "ray"], Parameter(group=MACHINE.title, metavar="NAME")] = (
        "local"
    )
    """Who paints: local, processes of this machine; or ray, a cluster, with impasto[cluster]."""

    address: Annotated[str | None, Parameter(group=MACHINE.title, metavar="HOST:PORT")] = None
    """The cluster of --engine ray. RAY_ADDRESS if not given, else one on this machine."""

    workers: Annotated[int | None, Parameter(group=MACHINE.title, metavar="N")] = None
    """Pictures at a time; if not given, one for each processor. Each has one thread then, which
    was measured to serve throughput best; where memory is short there are fewer, with more threads
    each, and on a graphics device there is one. --threads and --memory are those of one worker."""

    machine: NetworkFlags = field(default_factory=NetworkFlags)

    def check(self) -> str:
        """The output; checks what fits together."""
        if self.output is None:
            raise OutputError("-o is missing; name a folder for the results, as in -o painted")
        if self.address is not None and self.engine != "ray":
            raise SettingsError("--address needs --engine ray; leave it out")
        if self.quiet and self.json:
            raise SettingsError("--quiet and --json exclude each other; leave one of them out")
        self.machine.check()
        return self.output


@setting_flags("batch")
class BatchSettings(GivenSettings):
    """The settings of ``impasto batch``."""


def batch(
    *contents: Annotated[
        str,
        Parameter(
            name="CONTENT",
            help="Pictures to repaint: files, folders with all below them, globs, URLs; or lists, "
            ".csv or .jsonl, with content, style, name and any setting in each row.",
            group=PAINT.title,
        ),
    ],
    styles: Annotated[
        list[str] | None,
        Parameter(
            help="Styles: files, folders, globs, URLs; models too. Of a folder each picture "
            "or model is a style.",
            group=PAINT.title,
            consume_multiple=True,
            metavar="STYLE...",
        ),
    ] = None,
    settings: BatchSettings = BatchSettings(),
    flags: BatchFlags = BatchFlags(),
) -> int:
    """Behind ``impasto batch``; see `COMMANDS`."""
    if flags.status is not None:
        return _tell_status(flags.status, as_json=flags.json)
    output = flags.check()
    jobs, passed_over = _make_jobs(contents, styles or [], settings.given(), output, flags)
    if flags.dry_run:
        return _rehearse(jobs, passed_over, output, flags)
    return _paint(jobs, passed_over, output, flags)


def _make_jobs(
    contents: tuple[str, ...],
    styles: list[str],
    given: dict[str, Any],
    output: str,
    flags: BatchFlags,
) -> tuple[list[BatchJob], list[str]]:
    """Makes the jobs of the command line, and checks them; also says what was passed over."""
    from impasto.batch.pairing import make_jobs
    from impasto.batch.rows import find_rows, find_styles
    from impasto.batch.storage import real_folder

    if not contents:
        raise SettingsError("CONTENT is missing; name pictures, a folder, or a list")
    Settings(**given)
    leave_out = None if is_url(local_path(output)) else real_folder(output)
    found = find_rows(contents, leave_out)
    named_styles, no_styles = find_styles(styles)
    jobs = make_jobs(
        found.rows,
        named_styles,
        given,
        pair=flags.pair,
        template=flags.name,
        weights=None if flags.machine.weights is None else str(flags.machine.weights),
        base=None if flags.machine.base is None else str(flags.machine.base),
    )
    return jobs, [*found.passed_over, *no_styles]


def _choose_engine(jobs: list[BatchJob], name: str, flags: BatchFlags) -> Engine:
    from impasto.batch.choose_engine import choose_engine

    return choose_engine(name, jobs, flags.workers, flags.machine.compute(), flags.address)


def _paint(jobs: list[BatchJob], passed_over: list[str], output: str, flags: BatchFlags) -> int:
    """Paints what is left. Returns the exit code."""
    from impasto.batch.batch_run import BatchRun
    from impasto.batch.gallery import check_page, write_gallery

    began = time.monotonic()
    with BatchRun.at(output, flags.ledger) as run:
        if flags.gallery:
            check_page(run.storage)
        plan = run.plan(jobs, retry=flags.retry, overwrite=flags.overwrite)
        errors = {job.name: error for job, error in plan.failed}
        tally = BatchTally(len(jobs), len(plan.done), errors, passed_over=passed_over)
        interrupted = False
        with choose_batch_display(tally, quiet=flags.quiet, json=flags.json) as display:
            display.start(plan)
            try:
                if plan.todo:
                    engine = _choose_engine(list(plan.todo), flags.engine, flags)
                    tell = say_nothing if flags.quiet or flags.json else print_message
                    with passing_on_log(tell):
                        _follow(run, plan, engine, display)
            except KeyboardInterrupt:
                interrupted = True
            except OutputError as error:
                raise OutputError(
                    f"{error}; {tally.count} done; once that is mended, the same command goes on"
                ) from error
        gallery = None
        if flags.gallery:
            gallery = write_gallery(run.storage, run.ledger.entries().values())
        display.end(time.monotonic() - began, output, gallery, interrupted=interrupted)
    if interrupted:
        raise Interrupted(f"interrupted; {tally.count} done, and the same command goes on")
    if not tally.errors:
        display.close()
    return 1 if tally.errors else 0


def _follow(run: BatchRun, plan: BatchPlan, engine: Engine, display: BatchDisplay) -> None:
    """Paints, and has the display hear of every result and message."""
    # Ray prints what happens to nodes; standard output belongs to the events.
    with contextlib.redirect_stdout(sys.stderr), engine:
        for result, message in run.paint(plan, engine):
            display.hear(message, result, plan)
            if interruption.requested:  # other code may have caught the exception
                raise Interrupted


def _rehearse(jobs: list[BatchJob], passed_over: list[str], output: str, flags: BatchFlags) -> int:
    """Lists the jobs, says which cannot be painted, and estimates the time. Returns the exit code
    of the batch, as far as it can be told.
    """
    from impasto.batch.batch_run import plan_dry_run
    from impasto.batch.estimate import estimate_time

    plan = plan_dry_run(jobs, output, flags.ledger, retry=flags.retry, overwrite=flags.overwrite)
    errors = {job.name: why for job in plan.todo if (why := job.missing_picture())}
    todo = [job for job in plan.todo if job.name not in errors]
    engine = _choose_engine(todo, "local", flags)
    found = None
    if todo:
        with engine:
            found, tried = estimate_time(todo, engine)
        errors = tried | errors
    before = {job.name: error for job, error in plan.failed}
    if flags.json:
        rows = [
            {"content": job.content, "styles": job.styles, "name": job.name, "state": state}
            for job, state, _ in _states(jobs, plan)
        ]
        facts = {"jobs": rows, "workers": engine.workers, "passed_over": len(passed_over)}
        seconds = None if found is None else round(found.seconds, 1)
        print(json.dumps({**facts, "seconds": seconds, "errors": before | errors}))
        return 1 if before or errors else 0
    if passed_over and not flags.quiet:
        print(passed_over_words(passed_over), file=sys.stderr)
    for job, _, remark in _states(jobs, plan):
        bad = "  (cannot be painted)" if job.name in errors else remark
        print(printable(f"{job.name}: {job.content} in {' + '.join(job.styles)}{bad}"))
    print(_summary(len(plan.todo), len(errors), found, engine.workers))
    say_errors({**before, **errors}.values(), most=_MOST_ERRORS)
    return 1 if before or errors else 0


def _summary(todo: int, bad: int, found: TimeEstimate | None, workers: int) -> str:
    """What a dry run has found, in one line."""
    if not todo:
        return "nothing is left to do"
    if found is None:
        tried = " of those that were tried" if bad < todo else ""
        return f"{counted(todo, 'picture')}; none{tried} can be painted"
    also = f"; {bad} more cannot be painted" if bad else ""
    return (
        f"{counted(todo - bad, 'picture')}, about {duration(found.seconds)} on this machine: "
        f"{found.each:.1f} s each with {workers} at a time ({found.machine}){also}"
    )


def _states(jobs: list[BatchJob], plan: BatchPlan) -> Iterator[tuple[BatchJob, str, str]]:
    """Each job with its state, as the ledger calls it, and a remark on it."""
    done, again = ({job.key for job in some} for some in (plan.done, plan.again))
    failed = {job.key for job, _ in plan.failed}
    for job in jobs:
        if job.key in done:
            yield job, "done", "  (done)"
        elif job.key in failed:
            yield job, "failed", "  (failed before; --retry tries again)"
        else:
            yield job, "waiting", "  (anew, as it or an input changed)" if job.key in again else ""


def _tell_status(folder: Path, *, as_json: bool) -> int:
    from impasto.batch.batch_job import errors_once
    from impasto.batch.status import read_status

    status = read_status(folder)
    if as_json:
        print(json.dumps(status.to_json()))
        return 0
    counts = status.counts
    whole = sum(counts.values())
    left = "" if status.left is None else f", {duration(status.left)} left"
    pace = f"; {status.per_minute:.1f} pictures a minute" if status.per_minute else ""
    words = "at work" if status.at_work else "not at work"
    print(
        f"{counts['done']} of {counted(whole, 'picture')} done, {counts['failed']} failed; {words}"
    )
    if status.at_work:
        print(f"{counts['waiting']} wait, {counts['running']} in work{pace}{left}")
        for entry, since in status.running:
            pair = printable(f"{entry.content} in {' + '.join(entry.styles)}")
            print(f"  {pair}, for {duration(since)}")
    if status.lost:
        print(f"{duration(status.lost)} of painting were lost with workers")
    for error in errors_once(entry.error or "" for entry in status.failed):
        print(f"failed: {printable(error)}", file=sys.stderr)
    return 0
