"""What the preset that paints at once has no use for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impasto.settings.bounds import written

USED_AT_ONCE = (
    *("preset", "size", "strength", "style_margin", "style_blend", "style_scale", "style_crop"),
    *("feather", "color", "color_from", "color_amount", "keep", "seamless"),
)
"""The settings that a network that paints at once looks at; the others are refused."""


def check_at_once(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Check the settings of a picture that a network paints.

    Args:
        values: all settings by name.
        defaults: the value of each where it is not given.

    Raises:
        ValueError: one that has another value, and that only the optimisation knows.
    """
    for name, value in values.items():
        if name not in USED_AT_ONCE and value != defaults[name]:
            raise ValueError(
                f"{name} = {written(value)}: preset instant has a network paint, at once, and "
                "nothing of the optimisation; leave it out, or choose another preset"
            )
