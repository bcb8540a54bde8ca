"""The methods that are compared: each a name, and settings that differ from the defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from impasto import Settings
from impasto.errors import SettingsError
from impasto.settings import nearest

BASELINE = "default"
REFERENCES = ("content", "style")
"""Not painted: the photograph as it is, and the painting stretched to the photograph's shape."""

_ITERATIONS = Settings().iterations

METHODS: Mapping[str, Mapping[str, Any]] = {
    BASELINE: {},
    "style_weight=1": {"style_weight": 1.0},
    "style_weight=1.5": {"style_weight": 1.5},
    "style_weight=6": {"style_weight": 6.0},
    "gram": {"style_loss": "gram"},
    "gram-style_weight=6": {"style_loss": "gram", "style_weight": 6.0},
    "iterations-halved": {"iterations": [max(1, round(n / 2)) for n in _ITERATIONS]},
    "iterations-doubled": {"iterations": [2 * n for n in _ITERATIONS]},
    "total_variation=0": {"total_variation_weight": 0.0},
    "neural-style-200": {"preset": "neural-style", "iterations": [200]},
    "neural-style": {"preset": "neural-style"},
    "gatys": {"preset": "gatys"},
    "course": {"preset": "course"},
}
"""The project's own candidates."""

_NAME = re.compile(r"[\w.=+-]+")


def read_methods(path: Path) -> dict[str, dict[str, Any]]:
    """Reads a JSON file: an object of methods, name to settings.

    Raises:
        SettingsError: it cannot be read, or is no such object.
    """
    try:
        methods = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"methods file {path}: cannot be read ({error})") from None
    if not isinstance(methods, dict) or not all(isinstance(x, dict) for x in methods.values()):
        raise SettingsError(
            f'methods file {path}: must hold an object such as {{"bold": {{"style_weight": 6}}}}'
        )
    for name in methods:
        if not _NAME.fullmatch(name) or name in REFERENCES:
            raise SettingsError(
                f"methods file {path}: the name {name!r} cannot be used; give letters, digits and "
                f"any of _ . = + -, and neither of {', '.join(REFERENCES)}"
            )
    return methods


def choose_methods(
    wanted: Iterable[str] | None, more: Mapping[str, Mapping[str, Any]], size: int, share: float
) -> dict[str, Settings | None]:
    """Settings by method; None for the references, which always come first.

    Args:
        wanted: names; None for all.
        more: methods of one's own; one with a known name takes its place.
        size: long side in pixels.
        share: of the iterations that are done, for quick looks.

    Raises:
        SettingsError: an unknown name, or settings that cannot be.
    """
    known = {**METHODS, **more}
    chosen: dict[str, Settings | None] = dict.fromkeys(REFERENCES)
    for name in known if wanted is None else wanted:
        if name in REFERENCES:
            continue
        if name not in known:
            raise SettingsError(f"unknown method {name!r}; {nearest(name, [*known, *REFERENCES])}")
        try:
            settings = Settings(**{**known[name], "size": size})
        except SettingsError as error:
            raise SettingsError(f"method {name}: {error}") from None
        fewer = [max(1, round(share * count)) for count in settings.iterations]
        chosen[name] = settings.replace(iterations=fewer)
    return chosen


def families(methods: Mapping[str, Mapping[str, Any]], baseline: str) -> dict[str, list[str]]:
    """Methods that differ from the baseline in one number alone, by that setting, in its order.

    Args:
        methods: all settings of each method by its name.
        baseline: the name of one of them; it belongs to every family.
    """
    families: dict[str, list[str]] = {}
    for name, settings in methods.items():
        fields = [key for key, value in settings.items() if value != methods[baseline].get(key)]
        if len(fields) == 1 and _amount(settings[fields[0]]) is not None:
            families.setdefault(fields[0], [baseline]).append(name)
    return {
        field: sorted(names, key=lambda name: _amount(methods[name][field]) or 0.0)
        for field, names in families.items()
    }


def _amount(value: object) -> float | None:
    if isinstance(value, (list, tuple)):
        return float(sum(value))
    return float(value) if isinstance(value, (int, float)) else None
