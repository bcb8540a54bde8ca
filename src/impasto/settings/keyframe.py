"""A keyframe: what holds at a moment of a film, also as a recipe says it.

Like every part of a recipe it may have been written by anyone: `Keyframe.from_json` checks its
form. Whether the settings are any good is for those to say who paint with them.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Real
from typing import Any, Self

from impasto.errors import SettingsError
from impasto.settings.parsing import is_plain, setting_text

_FRACTION = re.compile(r"(-?\d{1,18})/([1-9]\d{,17})")


@dataclass(frozen=True)
class Keyframe:
    """What holds at a moment.

    Attributes:
        time: in seconds, 0 or later.
        settings: by name, those that it gives.
        styles: names of styles and their weights; None to keep those before.
    """

    time: Fraction
    settings: Mapping[str, Any]
    styles: Mapping[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """What a recipe says of it."""
        seconds = float(self.time)
        exact = Fraction(str(seconds)) == self.time
        styles = {} if self.styles is None else {"style": _plain(self.styles)}
        return {
            "time": seconds if exact else str(self.time),
            **styles,
            "settings": _plain(self.settings),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """A keyframe from what `to_json` gave.

        Raises:
            SettingsError: the value has another form.
        """
        known = value if isinstance(value, Mapping) else {}
        time, settings, styles = (known.get(name) for name in ("time", "settings", "style"))
        fraction = _FRACTION.fullmatch(time) if isinstance(time, str) else None
        if fraction is not None:
            exact = Fraction(int(fraction[1]), int(fraction[2]))
        elif _is_number(time):
            exact = Fraction(str(time))
        else:
            raise SettingsError("'film' has a keyframe whose time should be a number of seconds")
        if not isinstance(settings, Mapping) or not all(map(is_plain, settings.values())):
            raise SettingsError(
                "'film' has a keyframe whose settings should be texts and numbers by name"
            )
        if styles is not None and not _are_weights(styles):
            raise SettingsError("'film' has a keyframe whose style should be weights by name")
        return cls(exact, settings, styles)

    def cells(self) -> dict[str, str]:
        """Each part as it is shown, by name: ``time``, ``style``, and the settings."""
        found = {"time": f"{float(self.time):.9f}".rstrip("0").rstrip(".")}
        if self.styles is not None:
            found["style"] = " ".join(_weighted(*pair) for pair in self.styles.items())
        return {**found, **{name: setting_text(value) for name, value in self.settings.items()}}


def _weighted(name: str, weight: float) -> str:
    """A style as a keyframe's file names it."""
    quoted = f"'{name}'" if " " in name else name
    return quoted if weight == 1 else f"{quoted}:{weight:g}"


def _plain(value: Any) -> Any:
    """A value as JSON carries it, such that it is interpolated in the same way."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return os.fsdecode(value) if isinstance(value, os.PathLike) else str(value)


def _are_weights(styles: object) -> bool:
    return (
        isinstance(styles, Mapping)
        and all(_is_number(weight) and weight >= 0 for weight in styles.values())
        and any(styles.values())
    )


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
