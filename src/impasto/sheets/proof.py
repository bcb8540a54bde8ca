"""A proof: crops of a large picture at 100 %, before all of it is painted."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from PIL import ImageDraw
from torch import Tensor
from torch.nn import functional

from impasto.errors import SettingsError
from impasto.machine.compute import Compute
from impasto.objective.window_plan import Box
from impasto.painting.at_once import BaseSource
from impasto.painting.checkpoint import CheckpointSource
from impasto.painting.checkpoint_writer import CheckpointTarget
from impasto.painting.finished import finished
from impasto.painting.opened_task import stylize_task
from impasto.painting.proof_run import proof_steps, proof_windows
from impasto.painting.step import Step
from impasto.painting.synthesis import WeightsSource, last_step, prepare_run, start_run
from impasto.pictures.image import Image, ImageSource, open_image
from impasto.pictures.resizing import Size, fit, resize
from impasto.settings.model import Settings
from impasto.settings.print_size import PrintSize
from impasto.sheets.plate import Cell, compose
from impasto.tasks.color_maps import MapsSource
from impasto.tasks.regions import RegionSource
from impasto.tasks.styles import StyleSource
from impasto.tasks.task import Task
from impasto.torch_state import with_torch_defaults

CROP = 800
"""Side of the crops in pixels, where nothing is said: 7 cm at 300 dpi."""

_CROPS = (64, 4096)
_MOST_PLACES = 16
_LEAST_CELL = 32  # of a sheet; what is smaller is enlarged to it
_LOOK = 512  # long side at which telling places are looked for
_INK = (255, 60, 0)

Place = tuple[float, float]
"""How far across and down the middle of a crop lies, 0 to 1 each."""


@dataclass(frozen=True)
class ProofCrop:
    """A part of the picture that is proved.

    Attributes:
        words: what it was chosen for; empty where the place was given.
        place: of its middle.
        box: rows and columns of the picture.
    """

    words: str
    place: Place
    box: Box

    @property
    def caption(self) -> str:
        """Where it lies, and why it was chosen."""
        across, down = (f"{share:.0%}" for share in self.place)
        why = f"{self.words}: " if self.words else ""
        return f"{why}{across} across, {down} down"


@dataclass(frozen=True)
class ProofStep:
    """A step of the run behind a proof.

    Attributes:
        step: of the picture. In the last level only what is proved is painted as it will be.
        places: what is proved.
    """

    step: Step
    places: Sequence[ProofCrop]
    _final: Size = field(repr=False)

    @property
    def progress(self) -> float:
        """Share of the work that is done, 0..1."""
        return self.step.progress

    @property
    @with_torch_defaults
    def crops(self) -> list[Image]:
        """What is proved, pixel for pixel; from a level before, enlarged."""
        whole = self._whole
        found = []
        for crop in self.places:
            (top, bottom), (left, right) = crop.box
            part = (..., slice(top, bottom), slice(left, right))
            alpha = None if whole.alpha is None else whole.alpha[part].contiguous()
            found.append(replace(whole, pixels=whole.pixels[part].contiguous(), alpha=alpha))
        return found

    @property
    @with_torch_defaults
    def image(self) -> Image:
        """The sheet: where the crops lie, and the crops at 100 %."""
        whole, crops = self._whole, self.crops
        side = max(_LEAST_CELL, *(max(crop.height, crop.width) for crop in crops))
        cells = [
            Cell(crop, f"{number}. {place.caption}")
            for number, (crop, place) in enumerate(zip(crops, self.places, strict=True), 1)
        ]
        columns = 2 if len(cells) > 1 else 1
        rows = [cells[first : first + columns] for first in range(0, len(cells), columns)]
        printed = self.step.run.task.printed
        words = f"{self._final[1]} x {self._final[0]} pixels, crops at 100 %"
        title = words if printed is None else f"{printed.size}: {words}"
        over = Cell(_map(whole, self.places, side), "where they lie")
        plate = compose([[over], *rows], cell_size=side, title=title)
        return Image(plate.pixels, bits=whole.bits, recipe=whole.recipe, dpi=whole.dpi)

    @property
    def _whole(self) -> Image:
        image = self.step.image
        if (image.height, image.width) == self._final:
            return image
        alpha = None if image.alpha is None else resize(image.alpha, self._final).clamp(0, 1)
        dpi = None if image.dpi is None else image.dpi * self._final[1] / image.width
        return replace(image, pixels=resize(image.pixels, self._final), alpha=alpha, dpi=dpi)


ProofSteps = Generator[ProofStep, None, None]


@with_torch_defaults
def iterate_proof(
    content: ImageSource,
    style: StyleSource | None,
    settings: Settings | None = None,
    *,
    at: Sequence[Place] = (),
    crop: int = CROP,
    regions: Sequence[RegionSource] = (),
    maps: MapsSource | None = None,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    checkpoint: CheckpointTarget = None,
    resume: CheckpointSource = None,
    base: BaseSource = None,
    print_size: PrintSize | str | None = None,
    **overrides: Any,
) -> ProofSteps:
    """Paints crops of a picture as they will be, for a part of its work. Yields every step.

    All levels but the last are painted whole. ``checkpoint`` keeps them, and `stylize` goes on
    from it (``resume``): nothing is paid twice. Of the last level only what is to be seen is
    painted, with windows that stand for the rest (docs/decisions/0027-prints.md).

    Args:
        content: as for `iterate`.
        style: as for `iterate`.
        settings: as for `iterate`.
        at: middles of the crops, each how far across and down, 0 to 1; four telling places if none
            are given: where there is most detail, least detail, the strongest edge, and darkness.
        crop: their side in pixels, 64 to 4096.
        regions: as for `iterate`.
        maps: as for `iterate`.
        weights: as for `iterate`.
        compute: as for `iterate`.
        checkpoint: as for `iterate`; of all levels but the last.
        resume: as for `iterate`; a checkpoint that has not come to the last level.
        base: as for `iterate`.
        print_size: as for `iterate`.
        **overrides: single settings by name.

    Raises:
        As `iterate`; and a SettingsError for a place or a crop out of range.
    """
    check_crops(at, crop)
    task, saved = stylize_task(
        content,
        settings,
        overrides,
        style=style,
        regions=regions,
        maps=maps,
        compute=compute,
        resume=resume,
        print_size=print_size,
    )
    places = choose_places(task, at, crop)
    if task.at_once:
        steps = start_run(task, weights, compute, checkpoint, saved, base=base)
        return with_places(steps, places, task.final_size)
    prepared = prepare_run(task, weights, compute, checkpoint, saved)
    windows = proof_windows(prepared.run, [place.box for place in places])
    return with_places(proof_steps(prepared, windows), places, task.final_size)


def with_places(steps: Iterator[Step], places: Sequence[ProofCrop], final: Size) -> ProofSteps:
    """The steps of a proof, of those of its run.

    Args:
        steps: of the run.
        places: what is proved.
        final: height and width of the result.
    """
    for step in steps:
        yield ProofStep(step, places, final)


def _sheet_of(steps: ProofSteps) -> Image:
    last: ProofStep = last_step(steps)  # type: ignore[assignment,arg-type]
    return last.image


proof = finished(
    iterate_proof,
    "proof",
    """Crops of a picture as they will be, on one sheet. Arguments and errors: `iterate_proof`.""",
    _sheet_of,
)


def choose_places(task: Task, at: Sequence[Place], crop: int) -> list[ProofCrop]:
    """The crops of a result: at the places that are given, or at telling ones.

    Args:
        task: whose result, and whose content is looked at.
        at: middles.
        crop: side in pixels.
    """
    final = task.final_size
    if at:
        return [_crop_at("", place, crop, final) for place in at]
    if max(final) <= crop:
        return [_crop_at("all of it", (0.5, 0.5), crop, final)]
    seen = fit(final, min(_LOOK, max(final)))
    content = task.content_at(seen)
    assert content is not None  # only a repainted picture is proved
    return [_crop_at(words, place, crop, final) for words, place in _telling(content, crop, final)]


def _telling(content: Tensor, crop: int, final: Size) -> list[tuple[str, Place]]:
    """Telling places of a small content, no two crops over one another if that can be."""
    light = content.mean(1, keepdim=True)
    across = functional.pad(light.diff(dim=3).abs(), (0, 1, 0, 0))
    down = functional.pad(light.diff(dim=2).abs(), (0, 0, 0, 1))
    edges = across + down
    height, width = content.shape[2:]
    window = [
        max(1, min(length, round(crop * length / side)))
        for length, side in zip((height, width), final, strict=True)
    ]
    detail = functional.avg_pool2d(edges, window, stride=1)[0, 0]
    dark = functional.avg_pool2d(light, window, stride=1)[0, 0]
    soft = functional.avg_pool2d(edges, 5, stride=1, padding=2)
    strongest = functional.max_pool2d(soft, window, stride=1)[0, 0]
    wanted = (
        ("most detail", detail),
        ("least detail", -detail),
        ("strongest edge", strongest),
        ("darkest", -dark),
    )
    free = torch.ones_like(detail, dtype=torch.bool)
    found = []
    for words, score in wanted:
        open_ = score.masked_fill(~free, -torch.inf) if bool(free.any()) else score
        row, column = divmod(int(open_.argmax()), score.shape[1])
        place = (column + window[1] / 2) / width, (row + window[0] / 2) / height
        found.append((words, place))
        rows = slice(max(0, row - window[0] + 1), row + window[0])
        free[rows, max(0, column - window[1] + 1) : column + window[1]] = False
    return found


def _crop_at(words: str, place: Place, crop: int, final: Size) -> ProofCrop:
    """A crop whose middle is at a place, or as near as it can be inside the picture."""
    spans = []
    for share, length in zip((place[1], place[0]), final, strict=True):
        side = min(crop, length)
        first = max(0, min(length - side, round(share * length - side / 2)))
        spans.append((first, first + side))
    return ProofCrop(words, place, (spans[0], spans[1]))


def check_crops(at: Sequence[Place], crop: int) -> None:
    """Raises `SettingsError` for a place or a crop out of range, or too many of them."""
    if not _CROPS[0] <= crop <= _CROPS[1]:
        raise SettingsError(f"crop = {crop}: should be {_CROPS[0]} to {_CROPS[1]} pixels")
    if len(at) > _MOST_PLACES:
        raise SettingsError(f"at: {len(at)} places; {_MOST_PLACES} are the most on a sheet")
    for place in at:
        if len(place) != 2 or not all(0 <= share <= 1 for share in place):
            raise SettingsError(
                f"at = {place!r}: should be how far across and down, each 0 to 1, such as 0.3,0.5"
            )


def _map(whole: Image, places: Sequence[ProofCrop], side: int) -> Image:
    """The picture, small, with the crops drawn on it."""
    size = fit((whole.height, whole.width), side)
    small = Image(resize(whole.pixels, size).clamp(0, 1)).to_pil().convert("RGB")
    pen = ImageDraw.Draw(small)
    scale = max(size) / max(whole.height, whole.width)
    line, font = max(1, side // 300), max(8, side // 20)
    for number, crop in enumerate(places, 1):
        (top, bottom), (left, right) = crop.box
        corners = [round(pixel * scale) for pixel in (left, top, right - 1, bottom - 1)]
        pen.rectangle(corners, outline=_INK, width=line)
        pen.text((corners[0] + 3 * line, corners[1] + line), str(number), _INK, font_size=font)
    return open_image(np.array(small, copy=True))
