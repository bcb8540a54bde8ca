"""The styles that a user gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from impasto.errors import PictureError
from impasto.files import is_folder, path_of, reporting_failure
from impasto.pictures.formats import PICTURE_EXTENSIONS
from impasto.pictures.image import Image, ImageSource, open_image


@dataclass(frozen=True)
class Style:
    """One style. Given to several runs, it is looked at but once for each size.

    Attributes:
        pictures: one or more; their statistics are taken together.
        known: their statistics, as runs have computed them: some MB at most for each size.
    """

    pictures: tuple[Image, ...]
    known: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)


StyleSource: TypeAlias = ImageSource | Style | Sequence[ImageSource | Style]
"""A style, or several to blend. A folder is one style: all its pictures together."""


def open_styles(
    source: StyleSource, opened: Callable[[Any], Image] = open_image
) -> tuple[Style, ...]:
    """The styles that a user names.

    Args:
        source: see `StyleSource`.
        opened: makes an `Image` of a single picture.

    Raises:
        PictureError: a picture cannot be read, a folder has none, or the list is empty.
    """
    sources: list[Any] = list(source) if isinstance(source, list | tuple) else [source]
    if not sources:
        raise PictureError("the list of styles is empty; give at least one picture")
    return tuple(open_style(one, opened) for one in sources)


def open_style(source: ImageSource | Style, opened: Callable[[Any], Image] = open_image) -> Style:
    """A single style; arguments and errors as for `open_styles`."""
    if isinstance(source, Style):
        if not source.pictures:
            raise PictureError("a style without a picture; give it at least one")
        return source
    if isinstance(source, str | os.PathLike) and is_folder(source):
        name = os.fspath(source)
        with reporting_failure(name, as_=PictureError, does="read"):
            files = sorted(file for file in path_of(source).iterdir() if _is_picture(file))
        if not files:
            raise PictureError(
                f"{name}: the folder has no picture; a style is a picture or a folder of pictures"
            )
        return Style(tuple(opened(file) for file in files))
    return Style((opened(source),))


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in PICTURE_EXTENSIONS and not file.name.startswith(".")
