"""Several pictures for one sheet: all checked first, then painted one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from impasto.errors import OutputError
from impasto.files import appeared, written_beside
from impasto.network.weights import Weights
from impasto.painting.step import Step
from impasto.pictures.image import Image, ImageSource
from impasto.pictures.resizing import fit
from impasto.pictures.writing import check_output, is_same_file
from impasto.settings.model import Settings
from impasto.sheets.plate import Cell, compose
from impasto.torch_state import with_torch_defaults
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
    _plan: SheetPlan = field(repr=False)
    _finished: tuple[Cell, ...] = field(repr=False)

    @property
    @with_torch_defaults
    def image(self) -> Image:
        """The sheet so far, with its recipe: all finished pictures, and this one as it is."""
        return self._plan.compose([*self._finished, Cell(self.step.image, self.label)])

    @property
    def progress(self) -> float:
        """Share of the whole sheet that is done, 0..1."""
        return (self.part + self.step.progress) / self.parts

    @property
    def displaced(self) -> list[str]:
        """What to say of each finished picture that is beside the file that was asked for."""
        return self._plan.displaced


SheetSteps = Generator[SheetStep, None, Image]
"""Yields every step of every picture; returns the sheet."""


@dataclass(frozen=True)
class SheetCell:
    """One picture that a sheet is going to have.

    Attributes:
        label: its caption.
        source: the picture from which it gets its shape.
        begin: checks its pictures and settings; its steps do the work when they are iterated.
    """

    label: str
    source: Image
    begin: Callable[[], Iterator[Step]]


@dataclass(frozen=True)
class SheetPlan:
    """All that a sheet is going to be.

    Attributes:
        command: the name of its command, for the recipe.
        settings: those of its pictures.
        network: what they are painted with.
        rows: its pictures, in the order in which they are made.
        top: the originals above them, from the left.
        side: the original left of each row.
        words: title and captions, as `compose` of `impasto.sheets.plate` takes them.
        files: where each finished picture is saved; empty if nowhere.
        overwrite: whether files of these names may be replaced.
        displaced: what to say of each picture that is beside its file, as something is there.
    """

    command: str
    settings: Settings
    network: Weights
    rows: Sequence[Sequence[SheetCell]]
    top: Sequence[Cell | None] = ()
    side: Sequence[Cell] = ()
    words: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[Path] = ()
    overwrite: bool = False
    displaced: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list[SheetCell]:
        """Its pictures, row after row."""
        return [cell for row in self.rows for cell in row]

    def check(self, keep: Sequence[ImageSource] = ()) -> None:
        """Finds out before the first picture what would stop the last, or the sheet.

        Args:
            keep: files, among other things, that no picture may replace.
        """
        for file in self.files:
            if any(is_same_file(file, kept) for kept in keep):
                raise OutputError(
                    f"{file}: would replace a picture that this sheet is made of, or the sheet; "
                    "choose another folder for the cells"
                )
            check_output(file, overwrite=self.overwrite)
        for cell in self.cells:
            cell.begin()
        # The sheet with blank results has the final size, which may be more than there can be.
        blank = torch.zeros(1, 3, 1, 1)
        sizes = [
            fit((cell.source.height, cell.source.width), self.settings.size) for cell in self.cells
        ]
        self.compose([Cell(Image(blank.expand(1, 3, *size))) for size in sizes])

    def steps(self) -> SheetSteps:
        """Paints the pictures one after the other; yields their steps, returns the sheet."""
        finished: list[Cell] = []
        count = len(self.cells)
        for number, cell in enumerate(self.cells):
            for step in cell.begin():
                yield SheetStep(number, count, cell.label, step, self, tuple(finished))
            finished.append(Cell(step.image, cell.label))
            if self.files:
                self._save(step.image, self.files[number])
        return self.compose(finished)

    def _save(self, image: Image, file: Path) -> None:
        """Writes a finished picture; beside a file that has appeared there."""
        place = written_beside(file, partial(image.save, overwrite=self.overwrite))
        if place != file:
            self.displaced.append(appeared(file, "picture", place))
            warnings.warn(self.displaced[-1], UserWarning, stacklevel=2)

    def compose(self, made: Sequence[Cell]) -> Image:
        """The sheet, with its recipe, of the first of its pictures: those that are ``made``."""
        results = iter(made)
        rows: list[list[Cell | None]] = [[next(results, None) for _ in row] for row in self.rows]
        if self.side:
            rows = [[original, *row] for original, row in zip(self.side, rows, strict=True)]
        # Results stand on the sheet pixel for pixel, within reason.
        cell_size = min(max(self.settings.size, 128), 1024) if self.settings.size else 512
        plate = compose([self.top, *rows] if self.top else rows, cell_size=cell_size, **self.words)
        recipe = {
            "impasto": __version__,
            "command": self.command,
            "settings": self.settings.model_dump(mode="json"),
            "weights": self.network.sha256,
        }
        return Image(plate.pixels, recipe=recipe)


def finish_sheet(steps: SheetSteps) -> Image:
    """Takes all steps and returns the sheet."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        image: Image = end.value
        return image
