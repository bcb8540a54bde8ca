"""Many results on one sheet: the founding figure, and contents x styles."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from impasto.compute import Compute
from impasto.errors import SettingsError
from impasto.images import Image, ImageSource, check_output, open_image
from impasto.layout import Cell, compose
from impasto.settings import Settings
from impasto.synthesis import (
    Step,
    WeightsSource,
    iterate,
    iterate_reconstruct,
    iterate_texture,
    settled,
    with_defaults,
)
from impasto.version import __version__
from impasto.weights import Weights, load_weights

CONTENT_LAYERS = ("conv1_2", "conv2_2", "conv3_2", "conv4_2", "conv5_2")
"""The layers from which Gatys et al. 2015, figure 1, rebuild the content."""

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
"""The layers whose cumulative sets rebuild the style in the same figure."""


@dataclass(frozen=True)
class PartStep:
    """A step of one part of a sheet.

    Attributes:
        part: number of the part, from 0.
        parts: how many there are.
        label: what is being made, such as ``conv4_2`` or ``tubingen in starry_night``.
        step: the part's own step.
    """

    part: int
    parts: int
    label: str
    step: Step
    _sheet: Callable[[Sequence[Cell]], Image] = field(repr=False)
    _finished: tuple[Cell, ...] = field(repr=False)

    @property
    def image(self) -> Image:
        """The sheet so far, with its recipe: all finished parts, and this one as it is."""
        return self._sheet([*self._finished, Cell(self.step.image, self.label)])

    @property
    def progress(self) -> float:
        """Share of the whole sheet that is done, 0..1."""
        return (self.part + self.step.progress) / self.parts


Steps = Generator[PartStep, None, Image]
"""Yields every step of every part; returns the sheet."""


def iterate_explain(
    content: ImageSource,
    style: ImageSource,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Steps:
    """Shows what content and style are in the network, on one sheet. Yields every step.

    Above, the content rebuilt from single layers (`CONTENT_LAYERS`); below, the style rebuilt
    from the first, the first two, ... of `STYLE_LAYERS`. Source: Gatys et al. 2015, figure 1.

    Args:
        content: path, PIL image, NumPy array, tensor or `Image`.
        style: the same.
        settings: as for `iterate`; the layers are the figure's. Without them, at 256 px
            from white noise, see `COMMAND_DEFAULTS` of `impasto.settings`.
        weights: see `WeightsSource`.
        compute: where it runs.
        **overrides: single settings by name.

    Returns:
        The sheet, with its recipe (as the generator's return value).

    Raises:
        As `iterate`.
    """
    chosen = settled(settings, with_defaults("explain", settings, overrides))
    contents, styles = open_image(content), open_image(style)
    network = weights if isinstance(weights, Weights) else load_weights(weights)

    def rebuilt(layer: str) -> Iterator[Step]:
        return iterate_reconstruct(contents, layer, chosen, weights=network, compute=compute)

    def painted(layers: Sequence[str]) -> Iterator[Step]:
        equal = {"style_layers": dict.fromkeys(layers, 1 / len(layers))}
        return iterate_texture(styles, None, chosen, weights=network, compute=compute, **equal)

    sets = [STYLE_LAYERS[:count] for count in range(1, len(STYLE_LAYERS) + 1)]
    parts = [_Part(layer, partial(rebuilt, layer)) for layer in CONTENT_LAYERS]
    parts += [_Part(" to ".join(dict.fromkeys((s[0], s[-1]))), partial(painted, s)) for s in sets]

    def plate(made: Sequence[Cell]) -> Image:
        rebuilt_cells, painted_cells = _rows(made, 2, len(CONTENT_LAYERS))
        composed = compose(
            [
                [Cell(contents, "original"), *rebuilt_cells],
                [Cell(styles, "original"), *painted_cells],
            ],
            title="What the network keeps of the content, and of the style",
            row_captions=["content", "style"],
            cell_size=_cell_size(chosen),
        )
        return _with_recipe(composed, "explain", chosen)

    return (yield from _make(parts, plate))


def explain(
    content: ImageSource,
    style: ImageSource,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Image:
    """The founding figure on one sheet. Arguments and errors as for `iterate_explain`."""
    return _finished(
        iterate_explain(content, style, settings, weights=weights, compute=compute, **overrides)
    )


def iterate_sheet(
    contents: Sequence[ImageSource],
    styles: Sequence[ImageSource],
    settings: Settings | None = None,
    *,
    cells: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    names: tuple[Sequence[str], Sequence[str]] | None = None,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Steps:
    """Every content in every style, the originals along the top and the side.

    Args:
        contents: paths, PIL images, NumPy arrays, tensors or `Image` objects; at least one.
        styles: the same.
        settings: as for `iterate`.
        cells: a folder; each finished picture is saved there as ``CONTENT-in-STYLE.png``.
        overwrite: whether pictures of these names in ``cells`` may be replaced.
        names: captions of contents and styles; by default the names of their files.
        weights: see `WeightsSource`.
        compute: where it runs.
        **overrides: single settings by name.

    Returns:
        The sheet, with its recipe (as the generator's return value).

    Raises:
        OutputError: a cell's file that cannot be written or exists already.
        SettingsError: no content or no style; otherwise as `iterate`.
    """
    if not contents or not styles:
        raise SettingsError(
            f"{len(contents)} contents and {len(styles)} styles: a sheet needs at least one of each"
        )
    chosen = settled(settings, overrides)
    rows, columns = names or (file_names(contents, "content"), file_names(styles, "style"))
    labels = [f"{row} in {column}" for row in rows for column in columns]
    files = [] if cells is None else _cell_files(labels, Path(cells), overwrite)
    opened = [open_image(source) for source in contents], [open_image(source) for source in styles]
    network = weights if isinstance(weights, Weights) else load_weights(weights)
    pairs = [(content, style) for content in opened[0] for style in opened[1]]
    parts = [
        _Part(label, partial(iterate, *pair, chosen, weights=network, compute=compute))
        for label, pair in zip(labels, pairs, strict=True)
    ]

    def plate(made: Sequence[Cell]) -> Image:
        top: list[Cell | None] = [None, *(Cell(style) for style in opened[1])]
        rest = zip(opened[0], _rows(made, len(contents), len(styles)), strict=True)
        composed = compose(
            [top, *([Cell(content), *row] for content, row in rest)],
            column_captions=["", *columns],
            row_captions=["", *rows],
            cell_size=_cell_size(chosen),
        )
        return _with_recipe(composed, "sheet", chosen)

    return (yield from _make(parts, plate, files, overwrite=overwrite))


def sheet(
    contents: Sequence[ImageSource],
    styles: Sequence[ImageSource],
    settings: Settings | None = None,
    *,
    cells: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    names: tuple[Sequence[str], Sequence[str]] | None = None,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Image:
    """Every content in every style. Arguments and errors as for `iterate_sheet`."""
    return _finished(
        iterate_sheet(
            contents, styles, settings,
            cells=cells, overwrite=overwrite, names=names, weights=weights, compute=compute,
            **overrides,
        )
    )  # fmt: skip


@dataclass(frozen=True)
class _Part:
    """One picture of a sheet: its caption, and how to begin painting it."""

    label: str
    begin: Callable[[], Iterator[Step]]


def _make(
    parts: Sequence[_Part],
    plate: Callable[[Sequence[Cell]], Image],
    files: Sequence[Path] = (),
    *,
    overwrite: bool = False,
) -> Steps:
    """Runs the parts one after the other; yields their steps, returns the sheet."""
    finished: list[Cell] = []
    for number, part in enumerate(parts):
        for step in part.begin():
            yield PartStep(number, len(parts), part.label, step, plate, tuple(finished))
        finished.append(Cell(step.image, part.label))
        if files:
            step.image.save(files[number], overwrite=overwrite)
    return plate(finished)


def _rows(made: Sequence[Cell], rows: int, columns: int) -> list[list[Cell | None]]:
    """The cells row by row; those not yet made are None."""
    missing = rows * columns - len(made)
    cells: list[Cell | None] = [*made, *[None] * missing]
    return [cells[start : start + columns] for start in range(0, rows * columns, columns)]


def _cell_files(labels: Sequence[str], folder: Path, overwrite: bool) -> list[Path]:
    """Where the cells go; checked before the long run."""
    files = [folder / f"{label}.png".replace(" ", "-") for label in labels]
    for file in files:
        check_output(file, overwrite=overwrite)
    return files


def _finished(steps: Steps) -> Image:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            image: Image = end.value
            return image


def file_names(sources: Sequence[ImageSource], kind: str) -> list[str]:
    """Captions: the names of the files, told apart by a number where two are the same.

    Args:
        sources: pictures; one that is no file is called ``kind`` and its number.
        kind: ``content`` or ``style``.
    """
    names: list[str] = []
    for number, source in enumerate(sources, start=1):
        is_file = isinstance(source, str | os.PathLike)
        name = Path(source).stem if is_file else f"{kind} {number}"  # type: ignore[arg-type]
        twins = sum(earlier == name or earlier.startswith(f"{name} ") for earlier in names)
        names.append(f"{name} {twins + 1}" if twins else name)
    return names


def _cell_size(settings: Settings) -> int:
    """Results stand on the sheet pixel for pixel, within reason."""
    return min(max(settings.size, 128), 1024) if settings.size else 512


def _with_recipe(plate: Image, command: str, settings: Settings) -> Image:
    recipe = {
        "impasto": __version__,
        "command": command,
        "settings": settings.model_dump(mode="json"),
    }
    return Image(plate.pixels, recipe=recipe)
