"""impasto repaints one picture in the style of another.

>>> import impasto
>>> impasto.stylize("photo.jpg", "painting.jpg", size=512, preset="gatys").save("out.png")

Importing the package is quick: torch is only imported with the first name that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from impasto.version import __version__

if TYPE_CHECKING:
    from impasto.batch.stylize_many import stylize_many
    from impasto.diagnostics.doctor import examine
    from impasto.errors import (
        CheckpointError,
        DivergenceError,
        ImpastoError,
        MissingExtraError,
        OutputError,
        PictureError,
        RegionWarning,
        SettingsError,
        WeightsError,
    )
    from impasto.layers import layer_facts
    from impasto.machine.compute import Compute
    from impasto.network.weights import describe_weights, load_weights
    from impasto.painting.checkpoint import save_checkpoint
    from impasto.painting.run import Step
    from impasto.painting.synthesis import (
        iterate,
        iterate_reconstruct,
        iterate_texture,
        reconstruct,
        stylize,
        texture,
    )
    from impasto.pictures.image import Image, open_image
    from impasto.pictures.reading import read_recipe
    from impasto.settings.model import Settings
    from impasto.settings.presets import PRESETS
    from impasto.sheets.explain import explain, iterate_explain
    from impasto.sheets.grid import iterate_sheet, sheet
    from impasto.sheets.trials import iterate_trials, try_out

__all__ = [
    "PRESETS",
    "CheckpointError",
    "Compute",
    "DivergenceError",
    "Image",
    "ImpastoError",
    "MissingExtraError",
    "OutputError",
    "PictureError",
    "RegionWarning",
    "Settings",
    "SettingsError",
    "Step",
    "WeightsError",
    "__version__",
    "describe_weights",
    "examine",
    "explain",
    "iterate",
    "iterate_explain",
    "iterate_reconstruct",
    "iterate_sheet",
    "iterate_texture",
    "iterate_trials",
    "layer_facts",
    "load_weights",
    "open_image",
    "read_recipe",
    "reconstruct",
    "save_checkpoint",
    "sheet",
    "stylize",
    "stylize_many",
    "texture",
    "try_out",
]

_MODULES = {
    "batch.stylize_many": ("stylize_many",),
    "painting.checkpoint": ("save_checkpoint",),
    "machine.compute": ("Compute",),
    "diagnostics.doctor": ("examine",),
    "errors": (
        "CheckpointError",
        "DivergenceError",
        "ImpastoError",
        "MissingExtraError",
        "OutputError",
        "PictureError",
        "RegionWarning",
        "SettingsError",
        "WeightsError",
    ),
    "pictures.image": ("Image", "open_image"),
    "pictures.reading": ("read_recipe",),
    "layers": ("layer_facts",),
    "painting.run": ("Step",),
    "settings.presets": ("PRESETS",),
    "settings.model": ("Settings",),
    "sheets.explain": ("explain", "iterate_explain"),
    "sheets.grid": ("iterate_sheet", "sheet"),
    "painting.synthesis": (
        "iterate",
        "iterate_reconstruct",
        "iterate_texture",
        "reconstruct",
        "stylize",
        "texture",
    ),
    "sheets.trials": ("iterate_trials", "try_out"),
    "network.weights": ("describe_weights", "load_weights"),
}
_HOMES = {name: f"impasto.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "bench":  # a module, whose `bench` measures
        value: Any = import_module("impasto.diagnostics.bench")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
