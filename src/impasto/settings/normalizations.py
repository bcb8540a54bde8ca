"""What goes with losses that are not scaled by their target's own size, but as a text has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PLAIN = {"style_loss": "gram", "content_loss": "features"}  # the losses that texts have


def begun_with(preset: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's values and those that were given.

    The spectrum, which no text has, is left out where losses are scaled as a text has them.
    """
    values = {**preset, **given}
    if values.get("normalization", "scale-free") != "scale-free":
        values.setdefault("spectrum_weight", 0.0)
    return values


def check_normalization(values: Mapping[str, Any]) -> None:
    """Check settings whose losses are scaled as a text has them.

    Args:
        values: all settings by name.

    Raises:
        ValueError: a loss that has no such scale.
    """
    way = values["normalization"]
    for setting, plain in _PLAIN.items():
        for name, weight in values[setting].items():
            if weight and name != plain:
                raise ValueError(
                    f"{setting} {name} needs normalization scale-free, not {way}; use {setting} "
                    f"{plain}"
                )
    if values["spectrum_weight"]:
        raise ValueError(
            f"spectrum_weight = {values['spectrum_weight']:g} needs normalization scale-free, not "
            f"{way}; use spectrum_weight 0"
        )
