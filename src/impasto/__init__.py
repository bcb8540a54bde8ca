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
    from impasto.compute import Compute
    from impasto.errors import (
        DivergenceError,
        ImpastoError,
        MissingExtraError,
        OutputError,
        PictureError,
        SettingsError,
        WeightsError,
    )
    from impasto.images import Image, open_image, read_recipe
    from impasto.settings import PRESETS, Settings
    from impasto.sheets import explain, sheet
    from impasto.synthesis import (
        Step,
        iterate,
        iterate_reconstruct,
        iterate_texture,
        reconstruct,
        stylize,
        texture,
    )
    from impasto.weights import load_weights

__all__ = [
    "PRESETS",
    "Compute",
    "DivergenceError",
    "Image",
    "ImpastoError",
    "MissingExtraError",
    "OutputError",
    "PictureError",
    "Settings",
    "SettingsError",
    "Step",
    "WeightsError",
    "__version__",
    "explain",
    "iterate",
    "iterate_reconstruct",
    "iterate_texture",
    "load_weights",
    "open_image",
    "read_recipe",
    "reconstruct",
    "sheet",
    "stylize",
    "texture",
]

_ROOMS = {
    "compute": ("Compute",),
    "errors": (
        "DivergenceError",
        "ImpastoError",
        "MissingExtraError",
        "OutputError",
        "PictureError",
        "SettingsError",
        "WeightsError",
    ),
    "images": ("Image", "open_image", "read_recipe"),
    "settings": ("PRESETS", "Settings"),
    "sheets": ("explain", "sheet"),
    "synthesis": (
        "Step",
        "iterate",
        "iterate_reconstruct",
        "iterate_texture",
        "reconstruct",
        "stylize",
        "texture",
    ),
    "weights": ("load_weights",),
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
