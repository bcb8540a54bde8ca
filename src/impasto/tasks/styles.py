"""The styles that a user gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from impasto.errors import PictureError, SettingsError
from impasto.feedforward.model import Model
from impasto.feedforward.model_file import load_model
from impasto.files import is_folder, path_of, reporting_failure
from impasto.messages import cut_short
from impasto.paths import model_name
from impasto.pictures.formats import PICTURE_EXTENSIONS
from impasto.pictures.image import Image, ImageSource, open_image


@dataclass(frozen=True)
class Style:
    """One style. Given to several runs, it is looked at but once for each size.

    Attributes:
        pictures: one or more; their statistics are taken together. None of a model.
        model: a network that has learned it, in place of pictures.
        parts: names of the model's styles that count, all alike.
        name: of the model's file, for messages and recipes.
        known: their statistics, as runs have computed them: some MB at most for each size.
    """

    pictures: tuple[Image, ...]
    known: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
    model: Model | None = None
    parts: tuple[str, ...] = ()
    name: str = "a model"

    @classmethod
    def of_model(cls, model: Model, part: str = "", name: str = "") -> Style:
        """What a model has learned.

        Args:
            model: the model.
            part: name or number, from 1, of one of its styles; all of them, blended, if empty.
            name: of its file, if it has one.

        Raises:
            SettingsError: the model has no such style.
        """
        named = name or "a model"
        names = tuple(model.films)
        parts = (part_named(names, part, named),) if part else names
        return cls((), model=model, parts=parts, name=named)


StyleSource: TypeAlias = ImageSource | Style | Model | Sequence[ImageSource | Style | Model]
"""A style, or several to blend. A folder is one style: all its pictures together. So is a model, or
its file; ``model.safetensors#2`` is the second of its styles."""


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


def open_style(
    source: ImageSource | Style | Model, opened: Callable[[Any], Image] = open_image
) -> Style:
    """A single style; arguments and errors as for `open_styles`.

    Raises:
        SettingsError: a model has no style of that name or number.
        WeightsError: a model's file cannot be read.
    """
    if isinstance(source, Style):
        if not source.pictures and source.model is None:
            raise PictureError("a style without a picture; give it at least one")
        return source
    if isinstance(source, Model):
        return Style.of_model(source)
    named = model_name(source) if isinstance(source, str | os.PathLike) else None
    if named is not None:
        return Style.of_model(load_model(named[0]), named[1], named[0])
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


def is_model(source: object) -> bool:
    """Whether a style, or what it is to be opened from, is a model; nothing is opened."""
    if isinstance(source, Style):
        return source.model is not None
    if isinstance(source, str | os.PathLike):
        return model_name(source) is not None and not is_folder(source)
    return isinstance(source, Model)


def part_named(names: Sequence[str], part: str, file: str) -> str:
    """The name of one of a model's styles.

    Args:
        names: of all its styles.
        part: a name, or a number from 1.
        file: what messages call the model.

    Raises:
        SettingsError: the model has no such style.
    """
    if part in names:
        return part
    if part.isdecimal() and 1 <= int(part) <= len(names):
        return names[int(part) - 1]
    numbered = ", ".join(f"{number} {name}" for number, name in enumerate(names, start=1))
    raise SettingsError(
        f"{file}#{part}: this model has no such style; it has {cut_short(numbered)}: give one of "
        "these numbers or names"
    )


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in PICTURE_EXTENSIONS and not file.name.startswith(".")
