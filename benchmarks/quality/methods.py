"""The methods that are compared: each a name, and settings that differ from the defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from impasto import Settings
from impasto.errors import SettingsError
from impasto.messages import nearest

BASELINE = "default"
REFERENCES = ("content", "style")
"""Not painted: the photograph as it is, and the painting stretched to the photograph's shape."""

METHODS: Mapping[str, Mapping[str, Any]] = {
    BASELINE: {},
    "fast": {"preset": "fast"},
    "fine": {"preset": "fine"},
    "neighbors": {"preset": "neighbors"},
    "neural-style": {"preset": "neural-style"},
    "gatys": {"preset": "gatys"},
    "course": {"preset": "course"},
    **{f"style_weight={weight:g}": {"style_weight": weight} for weight in (1.5, 6.0, 12.0)},
    **{f"strength={strength:g}": {"strength": strength} for strength in (0.0, 0.25, 0.75, 1.0)},
    "gram": {"style_loss": "gram"},
    "wasserstein": {"style_loss": "wasserstein"},
    "mean-std": {"style_loss": "mean-std"},
    "sliced": {"style_loss": "sliced"},
    "self-similarity": {"content_loss": {"features": 0.5, "self-similarity": 0.5}},
    "total_variation=0": {"total_variation_weight": 0.0},
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
