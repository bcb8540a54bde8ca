"""What is left to do of a batch, by its ledger and its folder; for runs and dry runs alike."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from impasto.batch.batch_job import BatchJob, sorted_by_style
from impasto.batch.ledger import LedgerEntry
from impasto.batch.storage import Storage
from impasto.errors import ImpastoError, OutputError
from impasto.files import PATH_ERRORS, is_folder, real_path, reporting_failure
from impasto.pictures.reading import read_recipe


@dataclass(frozen=True)
class BatchPlan:
    """What is left of a batch.

    Attributes:
        todo: jobs to paint, in the order of the work.
        done: jobs that are done, their pictures looked at and found as they were written.
        failed: jobs that failed before and are not tried again, with the error.
        again: those of ``todo`` that were done once: their picture or an input is gone or changed.
        replaced: keys of other jobs that lose their names.
        fresh: names of ``todo`` that nothing has had before.
        seconds: how long the painting of those that are done took, by key.
    """

    todo: Sequence[BatchJob]
    done: Sequence[BatchJob]
    failed: Sequence[tuple[BatchJob, str]]
    again: Sequence[BatchJob]
    replaced: Sequence[str]
    fresh: Collection[str]
    seconds: Mapping[str, float]


def plan_batch(
    jobs: Sequence[BatchJob],
    known: Mapping[str, LedgerEntry],
    storage: Storage,
    *,
    retry: bool = False,
    overwrite: bool = False,
) -> BatchPlan:
    """Finds out what is left to do of ``jobs``. Changes nothing.

    Args:
        jobs: all jobs.
        known: what the ledger says, by key.
        storage: where the results are.
        retry: whether those that failed are tried again.
        overwrite: whether pictures of other jobs, and files of no job, may be replaced.

    Raises:
        OutputError: a result would replace a picture of another job, an input, or a file that is
            none of this batch.
    """
    todo, done, failed, again = [], [], [], []
    for job in jobs:
        entry = known.get(job.key)
        if entry is None or entry.state in ("waiting", "running", "replaced"):
            todo.append(job)
        elif entry.state == "failed" and not retry and entry.inputs == job.inputs():
            failed.append((job, entry.error or ""))
        elif entry.state == "done" and _is_as_written(job, entry, storage):
            done.append(job)
        else:
            todo.append(job)
            if entry.state == "done":
                again.append(job)
    replaced = _keys_to_replace(todo, known, storage, overwrite)
    seconds = {job.key: known[job.key].seconds or 0.0 for job in done}
    fresh = {job.name for job in todo if not overwrite and job.key not in known}
    return BatchPlan(sorted_by_style(todo), done, failed, again, replaced, fresh, seconds)


def _is_as_written(job: BatchJob, entry: LedgerEntry, storage: Storage) -> bool:
    """Whether a picture is there as it was written, and its inputs are as they were."""
    if entry.inputs != job.inputs() or storage.size(entry.name) != entry.bytes:
        return False
    try:
        with storage.open(entry.name) as stream:
            found = read_recipe(stream)
    except (ImpastoError, OSError):
        return False
    return bool(found == json.loads(entry.recipe or "null"))


def _keys_to_replace(
    todo: Iterable[BatchJob], known: Mapping[str, LedgerEntry], storage: Storage, overwrite: bool
) -> list[str]:
    """Keys of other jobs whose pictures will be replaced."""
    owners = {entry.name.casefold(): entry for entry in known.values() if entry.state != "replaced"}
    replaced = []
    for job in todo:
        owner = owners.get(job.name.casefold())
        # Of a job that failed there is no picture: what is there is another's.
        if owner is not None and owner.key == job.key and owner.state != "failed":
            continue
        there = storage.size(job.name) is not None
        if there:
            _check_no_input(storage.path(job.name), todo)
        if there and not overwrite:
            other = owner is not None and owner.key != job.key
            what = "is of other settings or inputs" if other else "is none of this batch"
            raise OutputError(
                f"{storage.path(job.name)}: exists already and {what}; choose another "
                "--name (as with {strength}) or folder, or say --overwrite"
            )
        if owner is not None and owner.key != job.key:
            replaced.append(owner.key)
    return replaced


def _check_no_input(place: str, todo: Iterable[BatchJob]) -> None:
    """Checks that a file to be replaced is none that a job reads. Raises `OutputError`."""
    with reporting_failure(place, PATH_ERRORS):
        target = real_path(place)
    for job in todo:
        for name in job.files:
            with contextlib.suppress(*PATH_ERRORS):  # what has no path is no file to be replaced
                source = real_path(name)
                if source != target and not (is_folder(source) and source == target.parent):
                    continue
                raise OutputError(f"{name}: is an input of this batch; choose another folder")
