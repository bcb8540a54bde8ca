"""What the preset that paints at once has no use for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impasto.messages import cut_short
from impasto.settings.parsing import typed_text

USED_AT_ONCE = (
    *("preset", "size", "strength", "style_margin", "style_blend", "style_scale", "style_crop"),
    *("feather", "color", "color_from", "color_amount", "keep", "seamless"),
)
"""The settings that a network that paints at once looks at; the others are refused."""

ANOTHER_WAY = ", or give pictures as styles and another preset"
"""What else can be done; models paint at once whatever the preset."""


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
                f"{name} = {cut_short(typed_text(value))}: preset instant paints at once, by a "
                f"network, and optimises nothing; leave it out{ANOTHER_WAY}"
            )
