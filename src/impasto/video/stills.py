"""Looks at a film before the work: one frame as a picture, or one every few seconds on a sheet."""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from impasto.errors import PictureError, SettingsError
from impasto.pictures.image import Image
from impasto.pictures.writing import check_output
from impasto.sheets.plate import Cell, compose
from impasto.tasks.result import make_image
from impasto.video.film_file import FilmProgress
from impasto.video.film_recipe import recipe_of
from impasto.video.film_task import Film, FilmTask
from impasto.video.frame_painter import FramePainter
from impasto.video.mask_film import MaskedFrame

PREVIEW_SIDE = 256
"""Long side of a preview's pictures in pixels, where none is asked for."""

MOST = 120
"""Pictures on a preview."""

Progress = Generator[FilmProgress, None, Path]
"""How far a look is; it returns the file."""


def paint_frame(
    task: FilmTask, moment: Fraction, output: str, *, overwrite: bool = False
) -> Progress:
    """Paints the frame at a moment as a picture.

    Args:
        task: the film.
        moment: seconds from the film's beginning.
        output: the picture to write.
        overwrite: whether a picture that is there may be replaced.

    Raises:
        PictureError: the film ends before.
        OutputError: the picture cannot be written.
        As `impasto.iterate_video`.
    """
    film = task.open()
    check_output(output, inputs=[os.fspath(task.source)], overwrite=overwrite)
    chosen: MaskedFrame | None = None
    for masked in film.frames():
        if film.time_of(masked.frame) > moment and chosen is not None:
            break
        chosen = masked
        yield FilmProgress("looking", masked.frame.number + 1, film.video.expected_frames)
    assert chosen is not None  # a film has a frame
    if film.time_of(chosen.frame) + chosen.frame.duration <= moment:
        raise PictureError(
            f"{film.video.name}: has no frame at {float(moment):g} s; its last one is at "
            f"{float(film.time_of(chosen.frame)):g} s"
        )
    painter = film.shot_painter().painter
    painted = replace(_painted(film, painter, chosen), recipe=recipe_of(film, moment))
    place = painted.save(output, overwrite=overwrite)
    yield FilmProgress("painting", 1, 1)
    return place


def preview(task: FilmTask, every: Fraction, output: str, *, overwrite: bool = False) -> Progress:
    """Paints a frame every few seconds, small, all on one sheet with their times.

    Args:
        task: the film; where it names no size, pictures are `PREVIEW_SIDE` long.
        every: seconds between two pictures.
        output: the sheet to write.
        overwrite: whether a picture that is there may be replaced.

    Raises:
        SettingsError: no time between pictures, or too many pictures.
        OutputError: the sheet cannot be written.
        As `impasto.iterate_video`.
    """
    if every <= 0:
        raise SettingsError(f"preview = {float(every):g}: should be seconds, more than 0")
    if task.settings is None and "size" not in task.overrides:
        task = replace(task, overrides={**task.overrides, "size": PREVIEW_SIDE})
    film = task.open()
    check_output(output, inputs=[os.fspath(task.source)], overwrite=overwrite)
    cells, expected = list[Cell](), _expected(film, every)
    painter = film.shot_painter().painter  # one for all: the network is loaded but once
    for masked in _every(film, every):
        caption = f"{float(film.time_of(masked.frame)):.2f} s"
        cells.append(Cell(_painted(film, painter, masked), caption))
        yield FilmProgress("painting", len(cells), expected)
        if len(cells) == MOST:
            break
    if not cells:
        raise PictureError(film.nothing_between)
    columns = math.ceil(math.sqrt(len(cells)))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    sheet = compose(rows, cell_size=max(film.size))
    return sheet.save(output, overwrite=overwrite)


def _expected(film: Film, every: Fraction) -> int | None:
    """How many pictures a preview has; None where the film does not say how long it is.

    Raises:
        SettingsError: too many.
    """
    end, start = film.task.end, film.task.start
    if film.video.duration is not None:
        end = film.video.duration if end is None else min(end, film.video.duration)
    if end is None:
        return None
    whole = max(Fraction(0), end - start)
    expected = max(1, math.ceil(whole / every))
    if expected > MOST:
        raise SettingsError(
            f"preview = {float(every):g}: would be {expected} pictures of {float(whole):.0f} s, "
            f"and {MOST} are the most; give {math.ceil(whole / MOST)} or more"
        )
    return expected


def _every(film: Film, seconds: Fraction) -> Iterator[MaskedFrame]:
    """Of all times that are so many seconds apart, the first frame from there on, each once."""
    due = film.task.start
    for masked in film.frames():
        if film.is_over(masked.frame):
            return
        time = film.time_of(masked.frame)
        if time >= due:
            due += seconds * (1 + (time - due) // seconds)
            yield masked


def _painted(film: Film, painter: FramePainter, masked: MaskedFrame) -> Image:
    return make_image(film.task_of(masked), painter.still(masked).pixels)
