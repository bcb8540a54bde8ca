"""What a user can do, in plain functions. Page and API both call these and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError
from impasto.painting.synthesis import settled
from impasto.pictures.reading import read_recipe
from impasto.settings.command_line import again
from impasto.settings.presets import command_defaults
from impasto.settings.recipes import Recipe, check_recipe
from impasto.studio.history import Entry, History
from impasto.studio.job_queue import JobQueue
from impasto.studio.jobs import Job
from impasto.studio.mishaps import disk_in_words
from impasto.studio.options import StudioOptions
from impasto.studio.orders import Order, commission, read_order, reopened
from impasto.studio.pictures import PictureStore
from impasto.studio.samples import add_samples
from impasto.studio.worker import PICTURE, Finished, Work
from impasto.version import __version__

VARIATIONS = tuple((strength, scale) for scale in (0.75, 1.5) for strength in (0.4, 0.7))
"""Strength and style scale of each of the small pictures to choose from."""


class Studio:
    """One studio: its pictures, its runs, its history.

    Args:
        options: how it is set up.
        folder: of the finished pictures; exists.
        uploads: an empty folder for what users bring.
    """

    def __init__(self, options: StudioOptions, folder: Path, uploads: Path) -> None:
        self.options = options
        self.closing = False
        self.store = PictureStore(uploads, options.max_pixels)
        self.samples = add_samples(self.store)
        self.history = History(folder)
        self.jobs = JobQueue(
            workers=options.jobs,
            length=options.queue_length,
            max_pixels=options.max_pixels,
            keep=self._keep,
            drop=_drop,
        )

    def close(self) -> None:
        """Stops every run; the pictures so far are kept."""
        self.closing = True
        self.jobs.close()

    def order(self, owner: str | None, request: object) -> Order:
        """Checks an order; see `read_order`."""
        return read_order(request, owner, self.store, self.options.max_pixels)

    def paint(self, owner: str | None, request: object) -> Job:
        """Begins a picture, or puts it into the queue.

        Raises:
            SettingsError: a setting out of range, or a full queue.
            PictureError: a picture that is not there.
            OutputError: its files cannot be written.
        """
        order = self.order(owner, request)
        with self._begun(owner) as folder:
            work = Work(commission(order, folder), ({},), folder)
            return self.jobs.submit(Job(owner, order.title, work))

    def variations(self, owner: str | None, request: object) -> Job:
        """Begins four small pictures to choose from. Raises as `paint`."""
        order = self.order(owner, request)
        small = command_defaults("try")
        parts = tuple(
            {"strength": strength, "style_scale": [scale], **small}
            for strength, scale in VARIATIONS
        )
        with self._begun(owner) as folder:
            work = Work(commission(order, folder), parts, None)
            captions = tuple(f"strength {s:g}, style scale {c:g}" for s, c in VARIATIONS)
            return self.jobs.submit(Job(owner, f"variations of {order.title}", work, captions))

    @contextmanager
    def _begun(self, owner: str | None) -> Iterator[Path]:
        """A folder for a picture to come; gone again if it does not come to a job."""
        with disk_in_words():
            folder = self.history.new_folder(owner)
            try:
                yield folder
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise

    def command(self, owner: str | None, request: object) -> str:
        """The command line that makes the same picture. Raises as `paint`."""
        order = self.order(owner, request)
        named = {setting: picture.name for setting, picture in order.files.items()}
        settings = settled(order.settings, named)
        recipe = Recipe(
            "stylize", settings.model_dump(mode="json"), None, __version__, order.inputs
        )
        return again(recipe, "the order")

    def status(self, job: Job, seen: int = 0) -> dict[str, Any]:
        """Where a run stands.

        Args:
            job: the run.
            seen: how many points of the loss curve the caller has already.
        """
        progress = job.progress
        return {
            "job": job.identity,
            "title": job.title,
            "state": job.state,
            "before": self.jobs.place(job),
            "message": job.message,
            "entry": job.result,
            "captions": list(job.captions),
            "previews": list(job.versions),
            "curve": job.curve[seen:],
            **({} if progress is None else _position(progress)),
        }

    def restore(self, owner: str | None, identity: str) -> dict[str, Any]:
        """The order of a finished picture: its pictures, regions and settings."""
        entry = self.history.get(owner, identity)
        return reopened(self.history.place(entry), owner, self.store)

    def details(self, entry: Entry) -> dict[str, Any]:
        """What is to be known of a finished picture, with the command that makes it again."""
        folder = self.history.place(entry)
        command, note = _command_of(folder), ""
        if command and entry.progress < 1:
            note = f"Stopped at {100 * entry.progress:.0f} %; this command paints it to the end."
        return {**entry.to_json(), "folder": str(folder), "command": command, "note": note}

    def _keep(self, job: Job, finished: Finished) -> str:
        assert job.work.folder is not None
        facts = {
            "width": finished.width,
            "height": finished.height,
            "seconds": finished.seconds,
            "progress": finished.progress,
        }
        return self.history.add(job.owner, job.work.folder, job.title, facts).identity


def _drop(job: Job) -> None:
    shutil.rmtree(Path(job.work.commission.content).parent, ignore_errors=True)


def _position(progress: Any) -> dict[str, Any]:
    done = progress.progress
    left = progress.seconds * (1 - done) / done if done > 0.02 else None
    return {
        "part": progress.part,
        "level": progress.level + 1,
        "levels": progress.levels,
        "iteration": progress.iteration,
        "iterations": progress.iterations,
        "width": progress.width,
        "height": progress.height,
        "progress": round(done, 4),
        "loss": progress.loss,
        "seconds": round(progress.seconds, 2),
        "seconds_left": None if left is None else round(left, 1),
    }


def _command_of(folder: Path) -> str:
    try:
        recipe = check_recipe(read_recipe(folder / PICTURE), PICTURE)
        return again(recipe, PICTURE)
    except ImpastoError:
        return ""
