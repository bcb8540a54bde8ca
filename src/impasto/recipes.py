r"""The recipe inside a picture: a mapping that says what made it, as text in the file's metadata.

One JSON text goes everywhere: as it is into PNG (an iTXt chunk with the keyword ``impasto``), and
wrapped in XMP into JPEG, WebP and TIFF (tag 700), where other programs' metadata tools show it.
The JSON is pure ASCII (other characters as ``\uXXXX``), so that every string survives every
container, even the lone surrogates that stand for undecodable bytes in file names.

Anyone can put such a text into a picture. Whoever acts on a recipe has `check_recipe` look at it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from impasto.errors import OutputError, PictureError

PNG_KEYWORD = "impasto"

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
class Recipe:
    """A recipe of the form that impasto writes; whether the settings are any good is open.

    Attributes:
        command: the command that made the picture, which this version may not know.
        settings: settings by name; texts, numbers, and lists and mappings of these.
        size: width and height of the picture, if the recipe tells.
        version: the impasto that made it, if the recipe tells.
    """

    command: str
    settings: Mapping[str, Any]
    size: tuple[int, int] | None
    version: str | None


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
    return Recipe(command, settings, None if size is None else (size[0], size[1]), version)


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
