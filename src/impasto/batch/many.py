"""Many pictures from Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from impasto.batch.dispatch import worked
from impasto.batch.jobs import Job, Result, grouped
from impasto.batch.listing import row_of
from impasto.batch.local import LocalEngine
from impasto.batch.machine import crew
from impasto.batch.naming import DEFAULT_TEMPLATE, jobs_of
from impasto.batch.orders import Engine, Failed, Order, Painted
from impasto.batch.runs import Run
from impasto.errors import SettingsError
from impasto.machine.compute import Compute

EngineName = Literal["local", "ray"]


def stylize_many(
    jobs: Iterable[Mapping[str, Any]],
    *,
    engine: EngineName | Engine = "local",
    output: str | os.PathLike[str] | None = None,
    name: str = DEFAULT_TEMPLATE,
    ledger: str | os.PathLike[str] | None = None,
    retry: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    compute: Compute | None = None,
    weights: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Iterator[Result]:
    """Repaints many pictures, several at a time; yields each result as soon as it is there.

    >>> rows = [{"content": "a.jpg", "style": "x.jpg", "strength": 0.7}, ...]
    >>> for result in stylize_many(rows, output="painted", size=512):
    ...     print(result.path or result.error)

    Names, settings and the output are checked when this is called; the work is done when the
    result is iterated. A picture that cannot be painted is a result with an ``error``, and stops
    nothing.

    Args:
        jobs: one mapping for each picture, as a line of a list has it: ``content`` and ``style``
            (a path or URL; a list of them is blended; a folder is one style), ``name``, and any
            setting. Pictures are files: they go to other processes, and are known again by them.
        engine: ``local``, processes of this machine, or ``ray``, a cluster that RAY_ADDRESS
            names, or one of this machine; or an engine of your own.
        output: folder or URL where results are written; with it there is a ledger, and what is
            done already is not painted again. Without it results are only handed over.
        name: template of the results' names; see `impasto.batch.naming.check_template`.
        ledger: folder of the ledger, for outputs that are no folder.
        retry: whether to try again what failed in an earlier run.
        overwrite: whether pictures of other jobs, and files of none, may be replaced.
        workers: how many pictures at a time; as many as serve throughput best if None.
        compute: what each worker computes with.
        weights: the network's file; the embedded one if None.
        **settings: single settings by name, for all jobs; those of a job win.

    Raises:
        SettingsError: a setting or engine that does not exist or is out of range.
        OutputError: results cannot be written there, or (while iterating) no longer.
        MissingExtraError: ray, and it is not installed.
    """
    rows = [row_of(given, f"job {number}") for number, given in enumerate(jobs, start=1)]
    network = None if weights is None else os.fspath(weights)
    planned = jobs_of(rows, (), settings, template=name, weights=network, named=output is not None)
    chosen = engine_of(engine, planned, workers, compute) if isinstance(engine, str) else engine
    if output is None:
        return _handed_over(planned, chosen)
    run = Run.at(os.fspath(output), None if ledger is None else Path(ledger))
    try:
        plan = run.plan(planned, retry=retry, overwrite=overwrite)
    except BaseException:
        run.__exit__(None, None, None)
        raise

    def results() -> Iterator[Result]:
        with run:
            yield from run.skipped(plan)
            if plan.todo:
                with chosen:
                    yield from (one for one, _ in run.results(plan, chosen) if one is not None)

    return results()


def engine_of(
    name: str,
    jobs: list[Job],
    workers: int | None,
    compute: Compute | None,
    address: str | None = None,
) -> Engine:
    """The engine of a name.

    Args:
        name: ``local`` or ``ray``.
        jobs: what it is to paint.
        workers: how many pictures at a time.
        compute: what each worker computes with.
        address: of a Ray cluster.

    Raises:
        SettingsError: an unknown name, or a number of workers out of range.
        MissingExtraError: ray, and it is not installed.
    """
    if name == "local":
        count, each = crew(jobs, workers, compute)
        networks = sorted({job.weights for job in jobs}, key=str)
        return LocalEngine(count, each, fixed=workers is not None, networks=networks)
    if name == "ray":
        from impasto.batch.cluster import RayEngine

        return RayEngine(address, compute or Compute(), workers)
    raise SettingsError(f"engine = {name!r}: must be local or ray")


def _handed_over(jobs: list[Job], engine: Engine) -> Iterator[Result]:
    ordered = grouped(jobs)
    orders = [Order(number, job) for number, job in enumerate(ordered)]
    with engine:
        for message in worked(orders, engine):
            if isinstance(message, Painted):
                yield Result(ordered[message.number], "", message.seconds, _data=message.data)
            elif isinstance(message, Failed):
                yield Result(ordered[message.number], message.error)
