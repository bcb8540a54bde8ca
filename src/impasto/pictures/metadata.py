r"""What a picture file says beside its pixels: the recipe that made it, and which way is up.

One JSON text of the recipe goes everywhere: as it is into PNG (an iTXt chunk with the keyword
``impasto``), and wrapped in XMP into JPEG, WebP and TIFF (tag 700), where other programs' metadata
tools show it. The JSON is pure ASCII (other characters as ``\uXXXX``), so that every string
survives every container, even the lone surrogates that stand for undecodable bytes in file names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import PIL.Image
from PIL import ExifTags

from impasto.errors import OutputError
from impasto.pictures.profiles import Samples

PNG_KEYWORD = "impasto"
XMP_TAG = 700
ORIENTATION_TAG = int(ExifTags.Base.Orientation)

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


def recipe_of(picture: PIL.Image.Image) -> dict[str, Any] | None:
    """The recipe among the metadata that Pillow has read so far, if there is one."""
    text = picture.info.get(PNG_KEYWORD)
    if isinstance(text, str):
        return recipe_from_json(text)
    packet = picture.info.get("xmp")
    return recipe_from_xmp(packet) if isinstance(packet, (bytes, str)) else None


def orientation_of(picture: PIL.Image.Image) -> int:
    """The EXIF orientation of a picture: 1 to 8; other values mean 1."""
    try:
        return int(picture.getexif().get(ORIENTATION_TAG, 1))
    except Warning:  # the host turns warnings into errors, which says nothing of the EXIF
        raise
    # Broken EXIF in good pictures is common, and what Pillow raises on it open-ended.
    except Exception:
        return 1


def upright(samples: Samples, orientation: int) -> Samples:
    """Samples (H, W, C) as they are to be seen; undoes an EXIF orientation (Exif 3.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        samples = samples.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples
