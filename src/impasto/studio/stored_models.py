"""Models that users bring as styles: told from pictures, checked, and shown by their thumbnails."""

from __future__ import annotations

import math
from pathlib import Path

import PIL.Image
import PIL.ImageOps

from impasto.errors import PictureError, WeightsError
from impasto.feedforward.model import Model
from impasto.feedforward.model_file import is_network_file, load_model
from impasto.files import NamedBytes
from impasto.pictures.image import Image, open_image

MODEL_SUFFIX = ".safetensors"

_SIDE = 256
"""Side in pixels of what is shown of a style, and of the result beside it."""

_MOST_THUMBNAIL_PIXELS = 1024 * 1024  # `impasto train` writes 256 x 256 at most
_NOTHING = (128, 128, 128)  # where a model brings no thumbnail


def is_model_file(name: str, data: bytes) -> bool:
    """Whether a file is, or means to be, a model: by its name or by how safetensors begin."""
    header = int.from_bytes(data[:8], "little")
    begins_so = data[8:9] == b"{" and 2 <= header <= len(data) - 8
    return is_network_file(name) or begins_so


def open_stored_model(path: Path, name: str) -> Model:
    """Loads a model that was brought to the studio.

    Args:
        path: where it was put; ends in ``.safetensors``.
        name: what its user calls it.

    Raises:
        WeightsError: it is damaged, no model, or of a newer impasto.
    """
    try:
        return load_model(path)
    except WeightsError as error:
        raise WeightsError(str(error).replace(str(path), name)) from error


def show_model(model: Model, part: int = 0) -> Image:
    """A picture, 512 x 256 pixels: on the left the styles, on the right the model's result.

    Args:
        model: the model.
        part: the number of the only style to show, from 1; all of them if 0. The result is of the
            first style, so that others are shown alone.
    """
    shown = range(len(model.films)) if part == 0 else [part - 1]
    tiles = [model.thumbnails.get(f"style.{number}") for number in shown]
    if part > 1:
        return open_image(_fitted(tiles[0], 2 * _SIDE, _SIDE))
    whole = PIL.Image.new("RGB", (2 * _SIDE, _SIDE))
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = [tiles[at : at + columns] for at in range(0, len(tiles), columns)]
    for number, row in enumerate(rows):
        top, bottom = (_SIDE * edge // len(rows) for edge in (number, number + 1))
        for place, tile in enumerate(row):
            left, right = (_SIDE * edge // len(row) for edge in (place, place + 1))
            whole.paste(_fitted(tile, right - left, bottom - top), (left, top))
    whole.paste(_fitted(model.thumbnails.get("result"), _SIDE, _SIDE), (_SIDE, 0))
    return open_image(whole)


def _fitted(thumbnail: bytes | None, width: int, height: int) -> PIL.Image.Image:
    """The middle of a thumbnail; plain grey where there is none that can be read."""
    size = (width, height)
    try:
        data = NamedBytes(thumbnail or b"", "thumbnail")
        picture = open_image(data, max_pixels=_MOST_THUMBNAIL_PIXELS).to_pil()
    except PictureError:
        return PIL.Image.new("RGB", size, _NOTHING)
    return PIL.ImageOps.fit(picture.convert("RGB"), size, PIL.Image.Resampling.LANCZOS)
