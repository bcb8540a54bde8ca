"""Several pictures for one sheet: all checked first, then painted one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from impasto.errors import OutputError
from impasto.network.weights import Weights
from impasto.painting.run import Step
from impasto.pictures.image import Image, ImageSource
from impasto.pictures.resizing import Size, fit
from impasto.pictures.writing import check_output
from impasto.settings.model import Settings
from impasto.sheets.plate import Cell
from impasto.version import __version__


@dataclass(frozen=True)
class SheetStep:
    """A step of one of a sheet's pictures.

    Attributes:
        part: number of the picture, from 0.
        parts: how many there are.
        label: what is being made, such as ``conv4_2`` or ``tubingen in starry_night``.
        step: the picture's own step.
    """

    part: int
    parts: int
    label: str
    step: Step
    _sheet: Callable[[Sequence[Cell]], Image] = field(repr=False)
    _finished: tuple[Cell, ...] = field(repr=False)

    @property
    def image(self) -> Image:
        """The sheet so far, with its recipe: all finished pictures, and this one as it is."""
        return self._sheet([*self._finished, Cell(self.step.image, self.label)])

    @property
    def progress(self) -> float:
        """Share of the whole sheet that is done, 0..1."""
        return (self.part + self.step.progress) / self.parts


SheetSteps = Generator[SheetStep, None, Image]
"""Yields every step of every picture; returns the sheet."""


@dataclass(frozen=True)
class SheetCell:
    """One picture that a sheet is going to have.

    Attributes:
        label: its caption.
        size: height and width that it will have.
        begin: checks its pictures and settings; its steps do the work when they are iterated.
    """

    label: str
    size: Size
    begin: Callable[[], Iterator[Step]]


@dataclass(frozen=True)
class SheetPlan:
    """All that a sheet is going to be.

    Attributes:
        cells: its pictures, in the order in which they are made.
        plate: puts those that are made on the sheet.
        files: where each finished picture is saved; empty if nowhere.
        overwrite: whether files of these names may be replaced.
    """

    cells: Sequence[SheetCell]
    plate: Callable[[Sequence[Cell]], Image]
    files: Sequence[Path] = ()
    overwrite: bool = False

    def check(self, keep: Sequence[ImageSource] = ()) -> None:
        """Finds out before the first picture what would stop the last, or the sheet.

        Args:
            keep: files, among other things, that no picture may replace.
        """
        for file in self.files:
            if any(_same_file(file, kept) for kept in keep):
                raise OutputError(
                    f"{file}: would replace a picture that this sheet is made of, or the sheet; "
                    "choose another folder for the cells"
                )
            check_output(file, overwrite=self.overwrite)
        for cell in self.cells:
            cell.begin()
        # The sheet with blank results has the final size, which may be more than there can be.
        blank = torch.zeros(1, 3, 1, 1)
        self.plate([Cell(Image(blank.expand(1, 3, *cell.size))) for cell in self.cells])

    def steps(self) -> SheetSteps:
        """Paints the pictures one after the other; yields their steps, returns the sheet."""
        finished: list[Cell] = []
        for number, cell in enumerate(self.cells):
            for step in cell.begin():
                yield SheetStep(
                    number, len(self.cells), cell.label, step, self.plate, tuple(finished)
                )
            finished.append(Cell(step.image, cell.label))
            if self.files:
                step.image.save(self.files[number], overwrite=self.overwrite)
        return self.plate(finished)


def finish_sheet(steps: SheetSteps) -> Image:
    """Takes all steps and returns the sheet."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            image: Image = end.value
            return image


def _same_file(file: Path, other: ImageSource) -> bool:
    """Whether both are the same place on disk, be there a file yet or not."""
    if not isinstance(other, str | os.PathLike):
        return False
    try:
        return file.samefile(other)
    except OSError:
        return os.path.realpath(file) == os.path.realpath(other)


def in_rows(made: Sequence[Cell], rows: int, columns: int) -> list[list[Cell | None]]:
    """The cells row by row; those not yet made are None."""
    missing = rows * columns - len(made)
    cells: list[Cell | None] = [*made, *[None] * missing]
    return [cells[start : start + columns] for start in range(0, rows * columns, columns)]


def result_size(source: Image, settings: Settings) -> Size:
    """Height and width of the result that a picture gives its shape."""
    return fit((source.height, source.width), settings.size)


def cell_size(settings: Settings) -> int:
    """Results stand on the sheet pixel for pixel, within reason."""
    return min(max(settings.size, 128), 1024) if settings.size else 512


def with_recipe(plate: Image, command: str, settings: Settings, network: Weights) -> Image:
    """The finished sheet with what made it."""
    recipe = {
        "impasto": __version__,
        "command": command,
        "settings": settings.model_dump(mode="json"),
        "weights": network.sha256,
    }
    return Image(plate.pixels, recipe=recipe)
