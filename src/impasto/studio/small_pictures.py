"""Small copies of pictures: what the page shows of them."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image

from impasto.files import replacing
from impasto.pictures.image import Image

PREVIEW_SIDE = 1280
"""Long side in pixels of what the stage shows."""

THUMBNAIL_SIDE = 240
"""Long side in pixels of what a slot or a list shows."""

_QUALITY = 88


def small_copy(path: Path, side: int, part: int = 0) -> Path:
    """Where the small copy of a stored picture is, of that long side.

    Args:
        path: the picture, or the model.
        side: in pixels.
        part: the number of one of a model's styles, from 1; 0 is all of it.
    """
    return path.with_name(f"{path.stem}-{side}{f'-part-{part}' if part else ''}.webp")


def small_copies(path: Path) -> list[Path]:
    """All small copies of a stored picture."""
    return list(path.parent.glob(f"{path.stem}-*.webp"))


def write_small(image: Image, path: Path, side: int) -> None:
    """Writes a copy of ``image`` as WebP, at most ``side`` pixels long."""
    small = image.to_pil()
    small.thumbnail((side, side), PIL.Image.Resampling.LANCZOS, reducing_gap=3.0)
    with replacing(path) as temporary:
        small.save(temporary, "WEBP", quality=_QUALITY, method=2)


def encode_small(image: Image, side: int, *, opaque: bool = False) -> bytes:
    """A copy at most ``side`` pixels long, quickly made: as JPEG, or as WebP where it has alpha.

    Args:
        image: the picture.
        side: in pixels.
        opaque: whether to leave alpha out.
    """
    picture = image.to_pil()
    if opaque:
        picture = picture.convert("RGB")
    picture.thumbnail((side, side))
    stream = io.BytesIO()
    if picture.mode == "RGBA":
        picture.save(stream, "WEBP", quality=_QUALITY, method=0)
    else:
        picture.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
