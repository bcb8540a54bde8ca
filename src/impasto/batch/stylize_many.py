"""Many pictures from Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from impasto.batch.batch_job import BatchJob, BatchResult, sorted_by_style
from impasto.batch.batch_row import row_from_mapping
from impasto.batch.batch_run import BatchRun
from impasto.batch.choose_engine import EngineName, choose_engine
from impasto.batch.engine import Engine, dispatch_orders
from impasto.batch.naming import DEFAULT_TEMPLATE
from impasto.batch.pairing import make_jobs
from impasto.batch.worker_messages import PictureFailed, PicturePainted, WorkOrder
from impasto.files import path_of
from impasto.machine.compute import Compute
from impasto.paths import local_path
from impasto.torch_state import with_torch_defaults


@with_torch_defaults
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
    base: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Iterator[BatchResult]:
    """Repaints many pictures, several at a time; yields each result as soon as it is there.

    >>> rows = [{"content": "a.jpg", "style": "x.jpg", "strength": 0.7}, ...]
    >>> for result in stylize_many(rows, output="painted", size=512):
    ...     print(result.path or result.error)

    Names, settings and the output are checked when this is called; the work is done when the
    result is iterated. A picture that cannot be painted is a result with an ``error``, and stops
    nothing.

    Args:
        jobs: one mapping for each picture, as a line of a list has it: ``content`` and ``style``
            (a path or URL; a list of them is blended; a folder or a model is one style), ``name``,
            and any setting. Pictures are files: they go to other processes, and are known again by
            them.
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
        base: the file of the base network that paints at once; the embedded one if None.
        **settings: single settings by name, for all jobs; those of a job win.

    Raises:
        SettingsError: a setting or engine that does not exist or is out of range.
        OutputError: results cannot be written there, or (while iterating) no longer.
        MissingExtraError: ray, and it is not installed.
    """
    rows = [row_from_mapping(given, f"job {number}") for number, given in enumerate(jobs, start=1)]
    asked = make_jobs(
        rows,
        (),
        settings,
        template=name,
        weights=None if weights is None else local_path(weights),
        base=None if base is None else local_path(base),
        named=output is not None,
    )
    chosen = choose_engine(engine, asked, workers, compute) if isinstance(engine, str) else engine
    if output is None:
        return _hand_over(asked, chosen)
    run = BatchRun.at(os.fspath(output), None if ledger is None else path_of(ledger))
    try:
        plan = run.plan(asked, retry=retry, overwrite=overwrite)
    except BaseException:
        run.__exit__(None, None, None)
        raise

    def results() -> Iterator[BatchResult]:
        with run:
            yield from run.skipped_results(plan)
            if plan.todo:
                with chosen:
                    yield from (one for one, _ in run.paint(plan, chosen) if one is not None)

    return results()


def _hand_over(jobs: list[BatchJob], engine: Engine) -> Iterator[BatchResult]:
    ordered = sorted_by_style(jobs)
    orders = [WorkOrder(number, job) for number, job in enumerate(ordered)]
    with engine:
        for message in dispatch_orders(orders, engine):
            if isinstance(message, PicturePainted):
                yield BatchResult(ordered[message.number], "", message.seconds, data=message.data)
            elif isinstance(message, PictureFailed):
                yield BatchResult(ordered[message.number], message.error)
