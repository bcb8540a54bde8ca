"""Many results on one sheet: the founding figure, and contents x styles."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from impasto.errors import SettingsError
from impasto.machine.compute import Compute
from impasto.network.weights import Weights, load_weights
from impasto.painting.run import Step
from impasto.painting.synthesis import (
    WeightsSource,
    iterate,
    iterate_reconstruct,
    iterate_texture,
    settled,
    with_defaults,
)
from impasto.pictures.image import Image, ImageSource, open_image
from impasto.settings.model import Settings
from impasto.sheets.plan import (
    Part,
    Plan,
    Steps,
    cell_size,
    completed,
    in_rows,
    result_size,
    with_recipe,
)
from impasto.sheets.plate import Cell, compose

CONTENT_LAYERS = ("conv1_2", "conv2_2", "conv3_2", "conv4_2", "conv5_2")
"""The layers from which Gatys et al. 2015, figure 1, rebuild the content."""

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
"""The layers whose cumulative sets rebuild the style in the same figure."""

Captions = tuple[Sequence[str], Sequence[str]]
"""The names of the contents, and of the styles."""


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
    Everything is checked when this is called, the work is done when the result is iterated.

    Args:
        content: path, PIL image, NumPy array, tensor or `Image`.
        style: the same.
        settings: as for `iterate`; the layers are the figure's, and it starts from noise unless
            ``start`` is given. Without them, see `COMMAND_DEFAULTS` of `impasto.presets`.
        weights: see `WeightsSource`.
        compute: where it runs.
        **overrides: single settings by name.

    Returns:
        The sheet, with its recipe (as the generator's return value).

    Raises:
        As `iterate`.
    """
    given = with_defaults("explain", settings, overrides)
    # A preset may start from the content, which the styles' row does not have.
    if settings is None or "start" not in settings.model_fields_set:
        given = {"start": "noise", **given}
    chosen = settled(settings, given)
    pictures = open_image(content), open_image(style)
    network = weights if isinstance(weights, Weights) else load_weights(weights)
    plan = Plan(
        _explain_parts(*pictures, chosen, network, compute),
        partial(_explain_plate, *pictures, chosen, network),
    )
    plan.check()
    return plan.steps()


def _explain_parts(
    content: Image, style: Image, settings: Settings, network: Weights, compute: Compute | None
) -> list[Part]:
    """The founding figure's ten pictures."""

    def rebuilt(layer: str) -> Iterator[Step]:
        return iterate_reconstruct(content, layer, settings, weights=network, compute=compute)

    def painted(layers: Sequence[str]) -> Iterator[Step]:
        equal: dict[str, Any] = {"style_layers": dict.fromkeys(layers, 1 / len(layers))}
        return iterate_texture(style, None, settings, weights=network, compute=compute, **equal)

    parts = [
        Part(layer, result_size(content, settings), partial(rebuilt, layer))
        for layer in CONTENT_LAYERS
    ]
    for count in range(1, len(STYLE_LAYERS) + 1):
        layers = STYLE_LAYERS[:count]
        label = " to ".join(dict.fromkeys((layers[0], layers[-1])))
        parts.append(Part(label, result_size(style, settings), partial(painted, layers)))
    return parts


def _explain_plate(
    content: Image, style: Image, settings: Settings, network: Weights, made: Sequence[Cell]
) -> Image:
    """The founding figure, of those of its ten pictures that are made."""
    rebuilt, painted = in_rows(made, 2, len(CONTENT_LAYERS))
    plate = compose(
        [[Cell(content, "original"), *rebuilt], [Cell(style, "original"), *painted]],
        title="What the network keeps of the content, and of the style",
        row_captions=["content", "style"],
        cell_size=cell_size(settings),
    )
    return with_recipe(plate, "explain", settings, network)


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
    return completed(
        iterate_explain(content, style, settings, weights=weights, compute=compute, **overrides)
    )


def iterate_sheet(
    contents: Sequence[ImageSource],
    styles: Sequence[ImageSource],
    settings: Settings | None = None,
    *,
    cells: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    protect: Sequence[str | os.PathLike[str]] = (),
    names: Captions | None = None,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Steps:
    """Every content in every style, the originals along the top and the side. Yields every step.

    Everything is checked when this is called, the work is done when the result is iterated.

    Args:
        contents: paths, PIL images, NumPy arrays, tensors or `Image` objects; at least one.
        styles: the same.
        settings: as for `iterate`.
        cells: a folder; each finished picture is saved there as ``CONTENT-in-STYLE.png``.
        overwrite: whether pictures of these names in ``cells`` may be replaced; an input never is.
        protect: further files that no cell may replace, such as the one for the sheet.
        names: captions of contents and styles; by default the names of their files.
        weights: see `WeightsSource`.
        compute: where it runs.
        **overrides: single settings by name.

    Returns:
        The sheet, with its recipe (as the generator's return value).

    Raises:
        OutputError: a cell's file that cannot be written, exists already or is to be kept.
        SettingsError: no content or no style, or not a name for each; otherwise as `iterate`.
    """
    captions = _captions(contents, styles, names)
    chosen = settled(settings, overrides)
    opened = [open_image(source) for source in contents], [open_image(source) for source in styles]
    network = weights if isinstance(weights, Weights) else load_weights(weights)
    parts = _sheet_parts(*opened, captions, chosen, network, compute)
    files = [] if cells is None else cell_files([part.label for part in parts], Path(cells))
    plan = Plan(parts, partial(_sheet_plate, *opened, captions, chosen, network), files, overwrite)
    plan.check([*contents, *styles, *chosen.files, *protect])
    return plan.steps()


def _captions(
    contents: Sequence[ImageSource],
    styles: Sequence[ImageSource],
    names: Captions | None,
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


def _sheet_parts(
    contents: Sequence[Image],
    styles: Sequence[Image],
    captions: Captions,
    settings: Settings,
    network: Weights,
    compute: Compute | None,
) -> list[Part]:
    """Every content in every style, row by row."""

    def begin(content: Image, style: Image) -> Iterator[Step]:
        return iterate(content, style, settings, weights=network, compute=compute)

    return [
        Part(f"{row} in {column}", result_size(content, settings), partial(begin, content, style))
        for row, content in zip(captions[0], contents, strict=True)
        for column, style in zip(captions[1], styles, strict=True)
    ]


def _sheet_plate(
    contents: Sequence[Image],
    styles: Sequence[Image],
    captions: Captions,
    settings: Settings,
    network: Weights,
    made: Sequence[Cell],
) -> Image:
    """The sheet, of those of its results that are made."""
    top: list[Cell | None] = [None, *(Cell(style) for style in styles)]
    rows = zip(contents, in_rows(made, len(contents), len(styles)), strict=True)
    plate = compose(
        [top, *([Cell(content), *row] for content, row in rows)],
        column_captions=["", *captions[1]],
        row_captions=["", *captions[0]],
        cell_size=cell_size(settings),
    )
    return with_recipe(plate, "sheet", settings, network)


def sheet(
    contents: Sequence[ImageSource],
    styles: Sequence[ImageSource],
    settings: Settings | None = None,
    *,
    cells: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    protect: Sequence[str | os.PathLike[str]] = (),
    names: Captions | None = None,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> Image:
    """Every content in every style. Arguments and errors as for `iterate_sheet`."""
    return completed(
        iterate_sheet(
            contents, styles, settings,
            cells=cells, overwrite=overwrite, protect=protect, names=names,
            weights=weights, compute=compute, **overrides,
        )
    )  # fmt: skip


def file_names(sources: Sequence[ImageSource], kind: str) -> list[str]:
    """Captions: the names of the files, told apart by a number where two are the same.

    Args:
        sources: pictures; one that is no file is called ``kind`` and its number.
        kind: ``content`` or ``style``.
    """
    names: list[str] = []
    for number, source in enumerate(sources, start=1):
        is_file = isinstance(source, str | os.PathLike) and source != "-"
        names.append(Path(source).stem if is_file else f"{kind} {number}")  # type: ignore[arg-type]
    return _told_apart(names, " ")


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
