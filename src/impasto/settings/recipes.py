r"""The recipe inside a picture: a mapping that says what made it, as text in the file's metadata.

One JSON text goes everywhere: as it is into PNG (an iTXt chunk with the keyword ``impasto``), and
wrapped in XMP into JPEG, WebP and TIFF (tag 700), where other programs' metadata tools show it.
The JSON is pure ASCII (other characters as ``\uXXXX``), so that every string survives every
container, even the lone surrogates that stand for undecodable bytes in file names.

Anyone can put such a text into a picture. Whoever acts on a recipe has `check_recipe` look at it.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from impasto.errors import OutputError, PictureError

PNG_KEYWORD = "impasto"

UNPAINTED = "none"
"""What stands in place of a region's style where the region stays as it is."""

_NAMESPACE = "urn:impasto:recipe#"
_ELEMENT = f"{{{_NAMESPACE}}}recipe"
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    f'<rdf:Description rdf:about="" xmlns:impasto="{_NAMESPACE}">'
    "<impasto:recipe>%s</impasto:recipe>"
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="w"?>'
)


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
        """The opposite; None where the value has another form."""
        if not isinstance(value, Mapping):
            return None
        content, styles, regions, maps = (
            value.get(name, usual)
            for name, usual in (("content", None), ("styles", []), ("regions", []), ("maps", []))
        )
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
    """

    command: str
    settings: Mapping[str, Any]
    size: tuple[int, int] | None
    version: str | None
    inputs: Inputs | None = None


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
    if not isinstance(settings, Mapping) or not all(map(_is_setting, settings.values())):
        raise PictureError(f"{refusal}: 'settings' should be texts and numbers by name")
    if size is not None and not _is_size(size):
        raise PictureError(f"{refusal}: 'size' should be a width and a height")
    if version is not None and not isinstance(version, str):
        raise PictureError(f"{refusal}: 'impasto' should be a version")
    inputs = Inputs.from_json(recipe["inputs"]) if "inputs" in recipe else None
    if inputs is None and "inputs" in recipe:
        raise PictureError(f"{refusal}: 'inputs' should be names of files")
    sides = None if size is None else (size[0], size[1])
    return Recipe(command, settings, sides, version, inputs)


def _is_setting(value: Any) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    parts = value if isinstance(value, (list, tuple)) else ()
    return not any(isinstance(part, (Mapping, list, tuple)) for part in parts)


def _is_size(value: Any) -> bool:
    pair = isinstance(value, (list, tuple)) and len(value) == 2
    return pair and all(type(side) is int and side > 0 for side in value)


def recipe_to_json(recipe: Mapping[str, Any]) -> str:
    """Write a recipe as ASCII JSON.

    Raises:
        OutputError: the recipe holds something that JSON cannot carry.
    """
    try:
        return json.dumps(dict(recipe), ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise OutputError(f"the recipe cannot be written as JSON: {error}") from error


def recipe_from_json(text: str | bytes) -> dict[str, Any] | None:
    """Read a recipe from JSON; None where the text is no JSON object."""
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return recipe if isinstance(recipe, dict) else None


def recipe_to_xmp(recipe: Mapping[str, Any]) -> bytes:
    """Write a recipe as an XMP packet (UTF-8).

    Raises:
        OutputError: the recipe holds something that JSON cannot carry.
    """
    # DEL is the one ASCII character that JSON leaves bare and XML discourages.
    text = recipe_to_json(recipe).replace("\x7f", "\\u007f")
    return (_XMP % escape(text)).encode()


def recipe_from_xmp(packet: bytes | str) -> dict[str, Any] | None:
    """Read a recipe from an XMP packet; None where there is none.

    Other programs that rewrite the metadata may turn the element into an attribute; both are read.
    """
    data = packet.encode() if isinstance(packet, str) else packet
    if _NAMESPACE.encode() not in data:
        return None
    try:
        # Padding after the packet (spaces, NULs) is common, and no XML.
        tree = ElementTree.fromstring(data.rstrip(b"\x00 \r\n\t"))
    except ElementTree.ParseError:
        return None
    for element in tree.iter():
        text = element.text if element.tag == _ELEMENT else element.get(_ELEMENT)
        if text:
            return recipe_from_json(text)
    return None
