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
    from impasto.batch.many import stylize_many
    from impasto.checkpoint import save_checkpoint
    from impasto.compute import Compute
    from impasto.doctor import examine
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
    from impasto.images import Image, open_image, read_recipe
    from impasto.layers import layer_facts
    from impasto.presets import PRESETS
    from impasto.run import Step
    from impasto.settings import Settings
    from impasto.sheets import explain, iterate_explain, iterate_sheet, sheet
    from impasto.synthesis import (
        iterate,
        iterate_reconstruct,
        iterate_texture,
        reconstruct,
        stylize,
        texture,
    )
    from impasto.trials import iterate_trials, try_out
    from impasto.weights import describe_weights, load_weights

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

_ROOMS = {
    "batch.many": ("stylize_many",),
    "checkpoint": ("save_checkpoint",),
    "compute": ("Compute",),
    "doctor": ("examine",),
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
    "images": ("Image", "open_image", "read_recipe"),
    "layers": ("layer_facts",),
    "run": ("Step",),
    "presets": ("PRESETS",),
    "settings": ("Settings",),
    "sheets": ("explain", "iterate_explain", "iterate_sheet", "sheet"),
    "synthesis": (
        "iterate",
        "iterate_reconstruct",
        "iterate_texture",
        "reconstruct",
        "stylize",
        "texture",
    ),
    "trials": ("iterate_trials", "try_out"),
    "weights": ("describe_weights", "load_weights"),
}
_HOMES = {name: f"impasto.{room}" for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
