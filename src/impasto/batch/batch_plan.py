"""What is left to do of a batch, by its ledger and its folder; for runs and dry runs alike."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from impasto.batch.batch_job import BatchJob, sorted_by_style
from impasto.batch.ledger import LedgerEntry
from impasto.batch.storage import Storage
from impasto.errors import ImpastoError, OutputError
from impasto.files import PATH_ERRORS, is_folder, real_path, reporting_failure
from impasto.pictures.reading import read_recipe
from impasto.settings.model import Settings
from impasto.settings.recipes import Inputs, check_recipe


@dataclass(frozen=True)
class BatchPlan:
    """What is left of a batch.

    Attributes:
        todo: jobs to paint, in the order of the work.
        done: jobs that are done, their pictures looked at and found as they were written.
        failed: jobs that failed before and are not tried again, with the error.
        again: those of ``todo`` that were done once: their picture or an input is gone or changed.
        replaced: keys of other jobs that lose their names.
        fresh: names of ``todo`` that nothing has yet: what appears there is not to be replaced.
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
    there = {job.name for job in todo if storage.size(job.name) is not None}
    replaced = _keys_to_replace(todo, known, storage, there, overwrite)
    seconds = {job.key: known[job.key].seconds or 0.0 for job in done}
    fresh = {job.name for job in todo if not overwrite and job.name not in there}
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


def _is_picture_of(job: BatchJob, storage: Storage) -> bool:
    """Whether the file under a job's name is its picture, by the recipe in it."""
    try:
        with storage.open(job.name) as stream:
            recipe = check_recipe(read_recipe(stream), job.name)
        made_of = recipe.inputs or Inputs()
        painted = replace(
            job,
            content=made_of.content or "",
            styles=tuple(filter(None, made_of.styles)),
            settings=Settings(**recipe.settings),
        )
        return painted.key == job.key
    except (ImpastoError, *PATH_ERRORS):
        return False


def _keys_to_replace(
    todo: Iterable[BatchJob],
    known: Mapping[str, LedgerEntry],
    storage: Storage,
    there: Collection[str],
    overwrite: bool,
) -> list[str]:
    """Keys of other jobs whose pictures will be replaced; ``there`` are the names of files."""
    owners = {entry.name.casefold(): entry for entry in known.values() if entry.state != "replaced"}
    replaced = []
    for job in todo:
        owner = owners.get(job.name.casefold())
        # What is under the name of a job that is not done is its picture only if it says so.
        own = owner is not None and owner.key == job.key
        if own and (known[job.key].state == "done" or job.name not in there):
            continue
        if own and _is_picture_of(job, storage):
            continue
        if job.name in there:
            _check_no_input(storage.path(job.name), todo)
        if job.name in there and not overwrite:
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
