"""Every content in every style, on one sheet."""

from __future__ import annotations

import io
import itertools
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from impasto.errors import SettingsError
from impasto.feedforward.model import Model
from impasto.files import path_of
from impasto.machine.compute import Compute
from impasto.painting.at_once import BaseSource
from impasto.painting.finished import finished
from impasto.painting.named_pictures import picture_opener, with_models
from impasto.painting.opened_task import settle
from impasto.painting.synthesis import WeightsSource, iterate, load_network
from impasto.paths import local_path, model_name
from impasto.pictures.image import ImageSource, open_image
from impasto.settings.model import Settings
from impasto.sheets.plan import SheetCell, SheetPlan, SheetSteps, finish_sheet
from impasto.sheets.plate import Cell
from impasto.tasks.styles import Style, is_model, open_style
from impasto.torch_state import with_torch_defaults

Captions = tuple[Sequence[str], Sequence[str]]
"""The names of the contents, and of the styles."""


@with_torch_defaults
def iterate_sheet(
    contents: Sequence[ImageSource],
    styles: Sequence[ImageSource | Style | Model],
    settings: Settings | None = None,
    *,
    cells: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    protect: Sequence[str | os.PathLike[str]] = (),
    names: Captions | None = None,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    base: BaseSource = None,
    **overrides: Any,
) -> SheetSteps:
    """Every content in every style, the originals along the top and the side. Yields every step.

    Everything is checked when this is called, the work is done when the result is iterated.

    Args:
        contents: paths, PIL images, NumPy arrays, tensors or `Image` objects; at least one.
        styles: the same, and folders and models, as for `iterate`.
        settings: as for `iterate`.
        cells: a folder; each finished picture is saved there as ``CONTENT-in-STYLE.png``.
        overwrite: whether pictures of these names in ``cells`` may be replaced; an input never is.
        protect: further files that no cell may replace, such as the one for the sheet.
        names: captions of contents and styles; by default the names of their files.
        weights: see `WeightsSource`.
        compute: where it runs.
        base: as for `iterate`.
        **overrides: single settings by name.

    Returns:
        The sheet, with its recipe (as the generator's return value).

    Raises:
        OutputError: a cell's file that cannot be written, exists already or is to be kept.
        SettingsError: no content or no style, or not a name for each; otherwise as `iterate`.
    """
    captions = _captions(contents, styles, names)
    if any(map(is_model, styles)):
        settings, overrides = with_models(settings, overrides)
    chosen = settle("sheet", settings, overrides)
    open_one = picture_opener(compute)
    opened = [open_one(one) for one in contents], [open_style(one, open_one) for one in styles]
    network = load_network(weights)
    paint = partial(iterate, settings=chosen, weights=network, compute=compute, base=base)
    rows = [
        [
            SheetCell(f"{row} in {column}", content, partial(paint, content, style))
            for column, style in zip(captions[1], opened[1], strict=True)
        ]
        for row, content in zip(captions[0], opened[0], strict=True)
    ]
    labels = [cell.label for row in rows for cell in row]
    plan = SheetPlan(
        "sheet",
        chosen,
        network,
        rows,
        top=[None, *map(_original, opened[1])],
        side=[*map(Cell, opened[0])],
        words={"column_captions": ["", *captions[1]], "row_captions": ["", *captions[0]]},
        files=[] if cells is None else cell_files(labels, path_of(cells)),
        overwrite=overwrite,
    )
    kept = [one for one in styles if not isinstance(one, Style | Model)]
    plan.check([*contents, *kept, *chosen.files, *protect])
    return plan.steps()


def _original(style: Style) -> Cell | None:
    """What stands above the pictures of a style: its picture, or what a model keeps of it."""
    if style.model is None:
        return Cell(style.pictures[0])
    number = list(style.model.films).index(style.parts[0])
    thumbnail = style.model.thumbnails.get(f"style.{number}")
    return None if thumbnail is None else Cell(open_image(io.BytesIO(thumbnail)))


def _captions(
    contents: Sequence[ImageSource], styles: Sequence[object], names: Captions | None
) -> Captions:
    """A caption for each content and each style."""
    if not contents or not styles:
        raise SettingsError(
            f"{len(contents)} contents and {len(styles)} styles: a sheet needs at least one of each"
        )
    rows, columns = names or (file_names(contents, "content"), file_names(styles, "style"))
    if (len(rows), len(columns)) != (len(contents), len(styles)):
        raise SettingsError(
            f"{len(rows)} and {len(columns)} names for {len(contents)} contents and {len(styles)} "
            "styles: give one name for each"
        )
    return rows, columns


sheet = finished(
    iterate_sheet,
    "sheet",
    """Every content in every style. Arguments and errors as for `iterate_sheet`.""",
    finish_sheet,
)


def file_names(sources: Sequence[object], kind: str) -> list[str]:
    """Captions: the names of the files, told apart by a number where two are the same.

    Args:
        sources: pictures; one that is no file is called ``kind`` and its number.
        kind: ``content`` or ``style``.
    """
    names: list[str] = []
    for number, source in enumerate(sources, start=1):
        is_file = isinstance(source, str | os.PathLike) and source != "-"
        names.append(_called(source) if is_file else f"{kind} {number}")  # type: ignore[arg-type]
    return _told_apart(names, " ")


def _called(source: str | os.PathLike[str]) -> str:
    """A file's name without its extension; of one of a model's styles with its number or name."""
    model = model_name(source)
    if model is None:
        return Path(local_path(source)).stem
    return " ".join(filter(None, (Path(model[0]).stem, model[1])))


def cell_files(labels: Sequence[str], folder: Path) -> list[Path]:
    """A file for each label, in order; no two the same, on no system.

    Args:
        labels: such as ``my photo in night``, whose file is ``my-photo-in-night.png``.
        folder: where they are.
    """
    stems = [re.sub(r'[\s/\\:*?"<>|\0]+', "-", label) for label in labels]
    return [folder / f"{stem}.png" for stem in _told_apart(stems, "-", str.casefold)]


def _told_apart(names: Sequence[str], gap: str, look: Callable[[str], str] = str) -> list[str]:
    """The names; those that look like one before get the first number that makes them unique."""
    taken, seen, unique = {look(name) for name in names}, set(), []
    for name in names:
        numbered = (f"{name}{gap}{number}" for number in itertools.count(2))
        free = (other for other in numbered if look(other) not in taken)
        unique.append(next(free) if look(name) in seen else name)
        seen.add(look(name))
        taken.add(look(unique[-1]))
    return unique
