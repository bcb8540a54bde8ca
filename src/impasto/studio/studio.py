"""What a user can do, in plain functions. Page and API both call these and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from impasto.errors import ImpastoError
from impasto.feedforward.model import WORKING_SIDE
from impasto.painting.opened_task import settle
from impasto.pictures.reading import read_recipe
from impasto.settings.command_line import command_line_of
from impasto.settings.presets import AT_ONCE, command_defaults
from impasto.settings.recipes import Recipe, check_recipe
from impasto.studio.failure_messages import explain_disk_errors
from impasto.studio.job_queue import JobQueue
from impasto.studio.order_files import reopen_order, write_order
from impasto.studio.painting_messages import JobProgress, WorkerAssignment
from impasto.studio.picture_folder import PICTURE
from impasto.studio.picture_history import PictureHistory
from impasto.studio.picture_store import PictureStore, add_samples
from impasto.studio.studio_job import StudioJob
from impasto.studio.studio_options import StudioOptions
from impasto.studio.studio_order import StudioOrder, read_order
from impasto.version import __version__

VARIATIONS = tuple((strength, scale) for scale in (0.75, 1.5) for strength in (0.4, 0.7))
"""Strength and style scale of each of the small pictures to choose from."""


class Studio:
    """One studio: its pictures, its jobs, its history.

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
        self.history = PictureHistory(folder)
        self.jobs = JobQueue(options, self.history)

    def close(self) -> None:
        """Stops every job; the pictures so far are kept."""
        self.closing = True
        self.jobs.close()

    def read_order(self, owner: str | None, request: object) -> StudioOrder:
        """Checks an order; see `read_order`."""
        return read_order(request, owner, self.store, self.options.max_pixels)

    def paint(self, owner: str | None, request: object) -> StudioJob:
        """Begins a picture, or puts it into the queue.

        Raises:
            SettingsError: a setting out of range, or a full queue.
            PictureError: a picture that is not there.
            OutputError: its files cannot be written.
        """
        order = self.read_order(owner, request)
        with self._new_folder(owner) as folder:
            assignment = WorkerAssignment(write_order(order, folder), ({},), folder)
            return self.jobs.submit(StudioJob(owner, order.title, assignment))

    def variations(self, owner: str | None, request: object) -> StudioJob:
        """Begins four small pictures to choose from. Raises as `paint`."""
        order = self.read_order(owner, request)
        small = _small_settings(order)
        parts = tuple(
            {"strength": strength, "style_scale": [scale], **small}
            for strength, scale in VARIATIONS
        )
        with self._new_folder(owner) as folder:
            assignment = WorkerAssignment(write_order(order, folder), parts, None)
            captions = tuple(f"strength {s:g}, style scale {c:g}" for s, c in VARIATIONS)
            title = f"variations of {order.title}"
            return self.jobs.submit(StudioJob(owner, title, assignment, captions))

    @contextmanager
    def _new_folder(self, owner: str | None) -> Iterator[Path]:
        """A folder for a picture to come; gone again if no job comes of it."""
        with explain_disk_errors():
            folder = self.history.new_folder(owner)
            try:
                yield folder
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise

    def command(self, owner: str | None, request: object) -> str:
        """The command line that makes the same picture. Raises as `paint`."""
        order = self.read_order(owner, request)
        named = {setting: picture.name for setting, picture in order.files.items()}
        settings = settle("stylize", order.settings, named)
        recipe = Recipe(
            "stylize", settings.model_dump(mode="json"), None, __version__, order.inputs
        )
        return command_line_of(recipe, "the order")

    def status(self, job: StudioJob, seen: int = 0) -> dict[str, Any]:
        """Where a job stands.

        Args:
            job: the job.
            seen: how many points of the loss curve the caller has already.
        """
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
            **({} if job.progress is None else _position(job.progress)),
        }

    def restore(self, owner: str | None, identity: str) -> dict[str, Any]:
        """The order of a finished picture: its pictures, regions and settings."""
        entry = self.history.get(owner, identity)
        return reopen_order(self.history.folder_of(entry), owner, self.store)

    def details(self, owner: str | None, identity: str) -> dict[str, Any]:
        """What is to be known of a finished picture, with the command that makes it again."""
        entry = self.history.get(owner, identity)
        folder = self.history.folder_of(entry)
        recipe = _recipe_of(folder)
        command = "" if recipe is None else command_line_of(recipe, PICTURE)
        at_once = recipe is not None and recipe.settings.get("preset") == AT_ONCE
        note = ""
        if command and entry.progress < 1:
            note = f"Stopped at {100 * entry.progress:.0f} %; this command paints it to the end."
        facts = {"folder": str(folder), "command": command, "note": note, "at_once": at_once}
        return {**entry.to_json(), **facts}


def _position(progress: JobProgress) -> dict[str, Any]:
    done = progress.progress
    left = progress.seconds * (1 - done) / done if done > 0.02 else None
    return {
        **vars(progress),
        "level": progress.level + 1,
        "progress": round(done, 4),
        "seconds": round(progress.seconds, 2),
        "seconds_left": None if left is None else round(left, 1),
    }


def _small_settings(order: StudioOrder) -> Mapping[str, Any]:
    """What the small pictures to choose from have of their own.

    A network that paints at once has no iterations to save. It paints them as large as it can
    before strokes grow no finer.
    """
    if order.settings.preset != AT_ONCE:
        return command_defaults("try")
    longest = order.settings.size or max(order.content.width, order.content.height)
    return {"size": min(longest, WORKING_SIDE)}


def _recipe_of(folder: Path) -> Recipe | None:
    """What a finished picture says of its making, if this version knows it all."""
    try:
        recipe = check_recipe(read_recipe(folder / PICTURE), PICTURE)
        command_line_of(recipe, PICTURE)
    except ImpastoError:
        return None
    return recipe
