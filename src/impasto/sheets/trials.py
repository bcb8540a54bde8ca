"""One picture in several ways, small, on one sheet: a look before the wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from impasto.machine.compute import Compute
from impasto.painting.finished import finished
from impasto.painting.named_pictures import picture_opener
from impasto.painting.opened_task import settle
from impasto.painting.synthesis import WeightsSource, iterate, load_network
from impasto.pictures.image import ImageSource
from impasto.settings.model import Settings
from impasto.settings.parsing import setting_text
from impasto.sheets.plan import SheetCell, SheetPlan, SheetSteps, finish_sheet
from impasto.sheets.plate import Cell
from impasto.torch_state import with_torch_defaults

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
SCALES = (0.5, 1.0, 2.0)

Trial = Mapping[str, Any]
"""What a cell changes of the settings, by name."""

METHODS: Sequence[Trial] = (
    {"style_loss": "gram"},
    {"style_loss": "wasserstein"},
    {"color": "content", "color_from": None},
    {"color": "match"},
)
"""The last row of the sheet."""


def trials() -> list[list[Trial]]:
    """Rows of stroke sizes, columns of strengths; below, other methods."""
    dials: list[list[Trial]] = [
        [{"strength": strength, "style_scale": scale} for strength in STRENGTHS] for scale in SCALES
    ]
    return [*dials, list(METHODS)]


def flags(trial: Trial) -> str:
    """What to add to ``impasto stylize`` for it: ``--strength 0.25 --style-scale 2``."""
    given = {name.replace("_", "-"): value for name, value in trial.items() if value is not None}
    return " ".join(f"--{name} {setting_text(value)}" for name, value in given.items())


@with_torch_defaults
def iterate_trials(
    content: ImageSource,
    style: ImageSource,
    settings: Settings | None = None,
    *,
    weights: WeightsSource = None,
    compute: Compute | None = None,
    **overrides: Any,
) -> SheetSteps:
    """One picture in several strengths, stroke sizes and methods. Yields every step.

    Everything is checked when this is called, the work is done when the result is iterated.

    Args:
        content: path, PIL image, NumPy array, tensor or `Image`.
        style: the same.
        settings: as for `iterate`; each cell changes some. Without them, small and quick: see
            `COMMAND_DEFAULTS` of `impasto.settings.presets`.
        weights: see `WeightsSource`.
        compute: where it runs.
        **overrides: single settings by name.

    Returns:
        The sheet, with its recipe (as the generator's return value).

    Raises:
        As `iterate`.
    """
    chosen = settle("try", settings, overrides)
    open_one = picture_opener(compute)
    pictures = open_one(content), open_one(style)
    network = load_network(weights)

    def cell(trial: Trial) -> SheetCell:
        changed = chosen.replace(**trial)
        begin = partial(iterate, *pictures, changed, weights=network, compute=compute)
        return SheetCell(flags(trial), pictures[0], begin)

    plan = SheetPlan(
        "try",
        chosen,
        network,
        [[cell(trial) for trial in row] for row in trials()],
        top=[Cell(pictures[0], "content"), Cell(pictures[1], "style")],
    )
    plan.check()
    return plan.steps()


try_out = finished(
    iterate_trials,
    "try_out",
    """The sheet of trials. Arguments and errors as for `iterate_trials`.""",
    finish_sheet,
)
