"""The founding figure: what the network keeps of the content, and of the style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from impasto.machine.compute import Compute
from impasto.network.weights import Weights
from impasto.painting.finished import finished
from impasto.painting.run import Step
from impasto.painting.synthesis import (
    WeightsSource,
    iterate_reconstruct,
    iterate_texture,
    load_network,
    picture_opener,
    settle,
)
from impasto.pictures.image import Image, ImageSource
from impasto.settings.model import Settings
from impasto.sheets.plan import (
    SheetCell,
    SheetPlan,
    SheetSteps,
    cell_size,
    finish_sheet,
    in_rows,
    result_size,
    with_recipe,
)
from impasto.sheets.plate import Cell, compose

CONTENT_LAYERS = ("conv1_2", "conv2_2", "conv3_2", "conv4_2", "conv5_2")
"""The layers from which Gatys et al. 2015, figure 1, rebuild the content."""

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
"""The layers whose cumulative sets rebuild the style in the same figure."""


def iterate_explain(
    content: ImageSource,
    style: ImageSource,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> SheetSteps:
    """Shows what content and style are in the network, on one sheet. Yields every step.

    Above, the content rebuilt from single layers (`CONTENT_LAYERS`); below, the style rebuilt
    from the first, the first two, ... of `STYLE_LAYERS`. Source: Gatys et al. 2015, figure 1.
    Everything is checked when this is called, the work is done when the result is iterated.

    Args:
        content: path, PIL image, NumPy array, tensor or `Image`.
        style: the same.
        settings: as for `iterate`; the layers are the figure's, and it starts from noise unless
            ``start`` is given. Without them, see `COMMAND_DEFAULTS` of `impasto.settings.presets`.
        weights: see `WeightsSource`.
        compute: where it runs.
        **overrides: single settings by name.

    Returns:
        The sheet, with its recipe (as the generator's return value).

    Raises:
        As `iterate`.
    """
    # A preset may start from the content, which the styles' row does not have.
    if settings is None or "start" not in settings.model_fields_set:
        overrides = {"start": "noise", **overrides}
    chosen = settle("explain", settings, overrides)
    open_one = picture_opener(compute)
    pictures = open_one(content), open_one(style)
    network = load_network(weights)
    plan = SheetPlan(
        _plan_cells(*pictures, chosen, network, compute),
        partial(_compose, *pictures, chosen, network),
    )
    plan.check()
    return plan.steps()


def _plan_cells(
    content: Image, style: Image, settings: Settings, network: Weights, compute: Compute | None
) -> list[SheetCell]:
    """The founding figure's ten pictures."""

    def rebuild(layer: str) -> Iterator[Step]:
        return iterate_reconstruct(content, layer, settings, weights=network, compute=compute)

    def paint(layers: Sequence[str]) -> Iterator[Step]:
        equal: dict[str, Any] = {"style_layers": dict.fromkeys(layers, 1 / len(layers))}
        return iterate_texture(style, None, settings, weights=network, compute=compute, **equal)

    cells = [
        SheetCell(layer, result_size(content, settings), partial(rebuild, layer))
        for layer in CONTENT_LAYERS
    ]
    for count in range(1, len(STYLE_LAYERS) + 1):
        layers = STYLE_LAYERS[:count]
        label = " to ".join(dict.fromkeys((layers[0], layers[-1])))
        cells.append(SheetCell(label, result_size(style, settings), partial(paint, layers)))
    return cells


def _compose(
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


explain = finished(
    iterate_explain,
    "explain",
    """The founding figure on one sheet. Arguments and errors as for `iterate_explain`.""",
    finish_sheet,
)
