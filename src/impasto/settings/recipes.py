"""Recipes: what made a picture or a film, as the file itself says it.

How a recipe gets into a file and out of it is the matter of `impasto.pictures.metadata` and
`impasto.video_files.recipes`. Anyone can put such a text into a file: whoever acts on a recipe has
`check_recipe` look at it first.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from impasto.errors import PictureError, SettingsError
from impasto.settings.film_facts import FilmFacts
from impasto.settings.parsing import is_plain
from impasto.settings.presets import AT_ONCE
from impasto.settings.print_size import PrintSize

_BEFORE: Mapping[str, Any] = {
    "content_focus": 0.0,
    "enlarged_style": "smooth",
    "spectrum_weight": 0.0,
}
"""What versions did that had no such setting. A recipe or a checkpoint names all it had."""

UNPAINTED = "none"
"""What stands in place of a region's style where the region stays as it is."""


def as_they_were(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that a recipe or a checkpoint names, with those that its version did not have yet.

    Where only some settings are named, or a network painted at once, nothing is added.
    """
    complete = "content_loss" in settings and settings.get("preset") != AT_ONCE
    missing = {name: value for name, value in _BEFORE.items() if name not in settings}
    return {**settings, **missing} if complete else dict(settings)


@dataclass(frozen=True)
class Inputs:
    """The files that a picture was made of, named as they were given; None for what was no file.

    Attributes:
        content: the picture that was repainted.
        styles: those blended, files or folders. Their weights are the setting ``style_blend``.
        regions: mask and style of each; the style is ``UNPAINTED`` where it stayed as it was.
        maps: the content's colour-coded map, then that of each style; empty if there were none.
    """

    content: str | None = None
    styles: tuple[str | None, ...] = ()
    regions: tuple[tuple[str | None, str | None], ...] = ()
    maps: tuple[str | None, ...] = ()

    @classmethod
    def of(
        cls,
        content: object = None,
        styles: object = None,
        regions: Iterable[object] = (),
        maps: Sequence[object] | None = None,
    ) -> Self:
        """From what a caller gave, pictures of any kind; nothing is opened."""
        pairs = [one if isinstance(one, tuple) and len(one) == 2 else (1, 1) for one in regions]
        named = [
            (_file_name(mask), UNPAINTED if style is None else _file_name(style))
            for mask, style in pairs
        ]
        mapped = [] if maps is None else [maps[0], *_listed(maps[1])]
        return cls(
            _file_name(content),
            tuple(map(_file_name, _listed(styles))),
            tuple(named),
            tuple(map(_file_name, mapped)),
        )

    @property
    def named(self) -> bool:
        """Whether any of them has a name."""
        pairs = (name for pair in self.regions for name in pair)
        names = (self.content, *self.styles, *self.maps, *pairs)
        return any(name is not None and name != UNPAINTED for name in names)

    def to_json(self) -> dict[str, Any]:
        """What a recipe says of them; nothing of those that there were none of."""
        regions = [{"mask": mask, "style": style} for mask, style in self.regions]
        for region in regions:
            if region["style"] == UNPAINTED:
                del region["style"]
        parts = {"styles": list(self.styles), "regions": regions, "maps": list(self.maps)}
        return {"content": self.content, **{name: part for name, part in parts.items() if part}}

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        """Inputs from what `to_json` gave; None where the value has another form."""
        if not isinstance(value, Mapping):
            return None
        content = value.get("content")
        styles, regions, maps = (value.get(name, []) for name in ("styles", "regions", "maps"))
        if not all(isinstance(part, list) for part in (styles, regions, maps)):
            return None
        if not all(isinstance(region, Mapping) for region in regions):
            return None
        pairs = [(region.get("mask"), region.get("style", UNPAINTED)) for region in regions]
        names = [content, *styles, *maps, *(name for pair in pairs for name in pair)]
        if not all(name is None or isinstance(name, str) for name in names):
            return None
        return cls(content, tuple(styles), tuple(pairs), tuple(maps))


def _file_name(source: object) -> str | None:
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else None


def _listed(source: object) -> list[object]:
    """A picture, or several, as a list."""
    if source is None:
        return []
    return list(source) if isinstance(source, list | tuple) else [source]


@dataclass(frozen=True)
class Recipe:
    """A recipe of the form that impasto writes; whether the settings are any good is open.

    Attributes:
        command: the command that made the picture, which this version may not know.
        settings: settings by name; texts, numbers, and lists and mappings of these.
        size: width and height of the picture, if the recipe tells.
        version: the impasto that made it, if the recipe tells.
        inputs: what it was made of, if the recipe tells. Whoever reads it may be deceived: none of
            these files is to be opened because a recipe names it.
        print_size: the sheet that it was painted for, if for one.
        bits: the depth that was asked for, 8 or 16; None for the content's own.
        film: how its frames were painted, if it is a film or a frame of one.
    """

    command: str
    settings: Mapping[str, Any]
    size: tuple[int, int] | None
    version: str | None
    inputs: Inputs | None = None
    print_size: PrintSize | None = None
    bits: int | None = None
    film: FilmFacts | None = None


def check_recipe(recipe: Mapping[str, Any], name: str) -> Recipe:
    """Check the form of a recipe that a picture came with.

    Args:
        recipe: as `read_recipe` gives it: any JSON object.
        name: how the message names the picture.

    Raises:
        PictureError: it is not of the form that impasto writes.
    """
    command, settings = recipe.get("command"), recipe.get("settings")
    size, version = recipe.get("size"), recipe.get("impasto")
    refusal = f"{name}: its recipe is not of the form that impasto writes"
    if not isinstance(command, str) or not re.fullmatch(r"[a-z][a-z-]{,30}", command):
        raise PictureError(f"{refusal}: 'command' should be the name of a command")
    if not isinstance(settings, Mapping) or not all(map(is_plain, settings.values())):
        raise PictureError(f"{refusal}: 'settings' should be texts and numbers by name")
    if size is not None and not _is_size(size):
        raise PictureError(f"{refusal}: 'size' should be a width and a height")
    if version is not None and not isinstance(version, str):
        raise PictureError(f"{refusal}: 'impasto' should be a version")
    bits = recipe.get("bits")
    if bits not in (None, 8, 16) or isinstance(bits, float):
        raise PictureError(f"{refusal}: 'bits' should be 8 or 16")
    inputs = Inputs.from_json(recipe["inputs"]) if "inputs" in recipe else None
    if inputs is None and "inputs" in recipe:
        raise PictureError(f"{refusal}: 'inputs' should be names of files")
    try:
        sheet = PrintSize.from_json(recipe["print"]) if "print" in recipe else None
        film = FilmFacts.from_json(recipe["film"]) if "film" in recipe else None
    except SettingsError as error:
        raise PictureError(f"{refusal}: {error}") from error
    sides = None if size is None else (size[0], size[1])
    return Recipe(command, as_they_were(settings), sides, version, inputs, sheet, bits, film)


def _is_size(value: Any) -> bool:
    pair = isinstance(value, (list, tuple)) and len(value) == 2
    return pair and all(type(side) is int and side > 0 for side in value)
