"""The founding figure: what the network keeps of the content, and of the style."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from impasto.machine.compute import Compute
from impasto.painting.finished import finished
from impasto.painting.named_pictures import picture_opener
from impasto.painting.opened_task import settle
from impasto.painting.synthesis import (
    WeightsSource,
    iterate_reconstruct,
    iterate_texture,
    load_network,
)
from impasto.pictures.image import ImageSource
from impasto.settings.model import Settings
from impasto.sheets.plan import SheetCell, SheetPlan, SheetSteps, finish_sheet
from impasto.sheets.plate import Cell
from impasto.torch_state import with_torch_defaults

CONTENT_LAYERS = ("conv1_2", "conv2_2", "conv3_2", "conv4_2", "conv5_2")
"""The layers from which Gatys et al. 2015, figure 1, rebuild the content."""

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
"""The layers whose cumulative sets rebuild the style in the same figure."""

_WORDS: dict[str, Any] = {
    "title": "What the network keeps of the content, and of the style",
    "row_captions": ["content", "style"],
}


@with_torch_defaults
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
    means: dict[str, Any] = {"weights": network, "compute": compute}

    def rebuild(layer: str) -> SheetCell:
        begin = partial(iterate_reconstruct, pictures[0], layer, chosen, **means)
        return SheetCell(layer, pictures[0], begin)

    def paint(layers: Sequence[str]) -> SheetCell:
        equal: dict[str, Any] = {"style_layers": dict.fromkeys(layers, 1 / len(layers))}
        label = " to ".join(dict.fromkeys((layers[0], layers[-1])))
        begin = partial(iterate_texture, pictures[1], None, chosen, **means, **equal)
        return SheetCell(label, pictures[1], begin)

    rebuilt = [rebuild(layer) for layer in CONTENT_LAYERS]
    painted = [paint(STYLE_LAYERS[:count]) for count in range(1, len(STYLE_LAYERS) + 1)]
    side = [Cell(picture, "original") for picture in pictures]
    plan = SheetPlan("explain", chosen, network, [rebuilt, painted], side=side, words=_WORDS)
    plan.check()
    return plan.steps()


explain = finished(
    iterate_explain,
    "explain",
    """The founding figure on one sheet. Arguments and errors as for `iterate_explain`.""",
    finish_sheet,
)
