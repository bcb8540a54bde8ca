"""What a user names of pictures and models, and what follows before any is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from impasto.errors import PictureError
from impasto.machine.compute import Compute
from impasto.pictures.image import Image, open_image
from impasto.settings.model import Settings
from impasto.settings.presets import AT_ONCE
from impasto.tasks.regions import Region
from impasto.tasks.styles import is_model


def named_styles(style: object, regions: Iterable[object] = ()) -> list[object]:
    """Each style that a user names, those of regions last; nothing is opened."""
    given = list(style) if isinstance(style, list | tuple) else [style]
    for region in regions:
        if isinstance(region, Region):
            given.append(region.style)
        elif isinstance(region, tuple) and len(region) == 2:
            given.append(region[1])
    return given


def with_models(
    settings: Settings | None, overrides: Mapping[str, Any]
) -> tuple[Settings | None, dict[str, Any]]:
    """Settings and single settings for styles that are models: preset ``instant``, if none is
    given.
    """
    if settings is None:
        return None, {"preset": AT_ONCE, **overrides}
    if "preset" in settings.model_fields_set or settings.preset == AT_ONCE:
        return settings, dict(overrides)
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return Settings(**{**given, "preset": AT_ONCE}), dict(overrides)


def picture_opener(compute: Compute | None) -> Callable[[Any], Image]:
    """What opens a run's pictures: `open_image`, with the limit of ``compute``.

    It raises `PictureError` for a model, too, which `open_style` opens before.
    """
    return partial(_open_picture, max_pixels=(compute or Compute()).max_pixels)


def _open_picture(source: Any, *, max_pixels: int) -> Image:
    if is_model(source):
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else "this model"
        raise PictureError(f"{name}: is a model, which is a style; give a picture here")
    return open_image(source, max_pixels=max_pixels)
