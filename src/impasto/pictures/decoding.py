"""An opened picture to samples, whatever its mode and depth.

Pillow decodes most of them. It would cut most 16-bit colour pictures down to 8, so 16-bit PNG goes
to imagecodecs (libpng), and TIFF to tifffile (see `tiff_decoding`), which uses the same imagecodecs
for its compressions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any, Literal

import imagecodecs
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from impasto.errors import PictureError
from impasto.pictures.color_tags import profile_of
from impasto.pictures.metadata import orientation_of, recipe_of
from impasto.pictures.pillow_faults import refuse_misread
from impasto.pictures.profiles import ColorSpace, Samples
from impasto.pictures.sample_scales import (
    as_8_or_16_bits,
    as_16_bits,
    sixteen_bits_of_mode_i,
    unit_floats,
)
from impasto.pictures.tiff_pages import BITS_PER_SAMPLE

# Tags of a TIFF that Pillow opened (TIFF 6.0, section 8).
_PHOTOMETRIC, _COLOR_MAP = 262, 320
_WHITE_IS_ZERO = 0  # of _PHOTOMETRIC


@dataclass(frozen=True)
class DecodedPicture:
    """A picture as its file holds it: not yet in sRGB, not yet upright."""

    samples: Samples  # (H, W, C), without alpha
    space: ColorSpace
    alpha: Samples | None  # (H, W), of the type of the samples
    profile: bytes | None  # ICC, embedded or made of what else the file says
    orientation: int  # EXIF: 1 to 8; other values mean 1
    recipe: dict[str, Any] | None

    @property
    def bits(self) -> Literal[8, 16]:
        """The depth the picture came with, before any conversion."""
        return 8 if self.samples.dtype == np.uint8 else 16


def check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    """Refuse a picture of more pixels than allowed, or of none.

    Args:
        size: width and height.
        name: how the message names the picture.
        max_pixels: the most pixels (width times height) to accept.

    Raises:
        PictureError: ``size`` is beyond ``max_pixels``, or empty.
    """
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name}: the picture is empty ({width} x {height} pixels)")
    if width * height > max_pixels:
        raise PictureError(
            f"{name}: {width} x {height} pixels are more than the limit of {max_pixels}; "
            f"raise it with --max-pixels {width * height} (max_pixels in Python) if you trust it"
        )


def decode_pillow(picture: PIL.Image.Image, name: str) -> DecodedPicture:
    """Decode a Pillow picture of any mode, by the rule of `sample_scales`.

    Args:
        picture: the picture; decoded here if it was only opened.
        name: how messages name it.

    Raises:
        PictureError: a mode of more than 8 bits whose samples have no scale or are outside of it,
            or a picture that Pillow misreads (`pillow_faults`).
    """
    refuse_misread(picture, name)
    # The file is at hand only until the picture is loaded.
    profile = profile_of(picture, name, bits=16 if picture.mode[0] in "IF" else 8)
    picture.load()
    return _from_pillow(picture, *_samples_of(picture, name), profile)


def _samples_of(picture: PIL.Image.Image, name: str) -> tuple[NDArray[Any], ColorSpace]:
    """The samples of a loaded picture, and what they are."""
    mode = picture.mode
    if mode[0] in "IF":
        return _deep_samples(picture, name), "gray"
    if mode == "LAB":
        # Pillow hands out a and b as signed bytes; ICC shifts them by 128.
        return np.asarray(picture) ^ np.array([0, 128, 128], "u1"), "lab"
    if mode == "CMYK":
        return np.asarray(picture), "cmyk"
    if mode == "P":
        picture = _with_whole_palette(picture)
    gray = mode in ("1", "L", "LA", "La")
    target = "L" if gray else "RGB"
    if picture.has_transparency_data:
        target += "A"
    return np.asarray(picture.convert(target)), "gray" if gray else "rgb"


def _with_whole_palette(picture: PIL.Image.Image) -> PIL.Image.Image:
    """A TIFF whose palette was written in 8 bits, not 16, with its colours; others as they are.

    Some programs write it so. Pillow sees black; libtiff's own tools do as we do.
    """
    colors = getattr(picture, "tag_v2", {}).get(_COLOR_MAP, ())
    if not colors or max(colors) > 255:
        return picture
    picture = picture.copy()
    picture.putpalette(np.reshape(colors, (3, -1)).T.astype(np.uint8).tobytes())
    return picture


def _deep_samples(picture: PIL.Image.Image, name: str) -> NDArray[np.uint16]:
    """The modes ``I;16``, ``I`` and ``F`` as 16 bits, with alpha where one grey is transparent."""
    array, tags = np.asarray(picture), getattr(picture, "tag_v2", {})
    if picture.mode == "F":
        samples = as_16_bits(unit_floats(array, name))
    elif picture.mode == "I":
        samples = sixteen_bits_of_mode_i(array, name, known=picture.format in ("PNG", "PPM"))
    else:
        # Pillow leaves 12 bits of a TIFF as they are, and white as 0 (below), too.
        samples = as_8_or_16_bits(array, tags.get(BITS_PER_SAMPLE, (16,))[0]).astype(np.uint16)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        samples = 65535 - samples
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        alpha = np.where(array == transparent, 0, 65535).astype(np.uint16)
        return np.stack([samples, alpha], -1)
    return samples


def decode_deep_png(
    picture: PIL.Image.Image, stream: IO[bytes], name: str
) -> DecodedPicture | None:
    """Decode a PNG that Pillow would change: 16 bits, or 2 or 4 with a transparent grey.

    Args:
        picture: the same PNG opened by Pillow, which knows the metadata.
        stream: the file.
        name: how messages name it.

    Returns:
        None if the PNG is another.
    """
    stream.seek(0)
    # The signature (8 bytes), then the IHDR chunk: length, name, width, height (16), bit depth.
    depth = stream.read(25)[24]
    # Pillow compares the transparent grey of 2 or 4 bits with samples that it made 8 bits of.
    loses_alpha = depth < 8 and picture.mode == "L" and "transparency" in picture.info
    if depth != 16 and not loses_alpha:
        return None
    profile = profile_of(picture, name, bits=16 if depth == 16 else 8)
    stream.seek(0)
    array = np.atleast_3d(imagecodecs.png_decode(stream.read()))
    return _from_pillow(picture, array, "gray" if array.shape[2] < 3 else "rgb", profile)


def _from_pillow(
    picture: PIL.Image.Image, array: NDArray[Any], space: ColorSpace, profile: bytes | None
) -> DecodedPicture:
    """Join samples, which may end in an alpha channel, with the metadata that Pillow read."""
    array = np.atleast_3d(array)  # a single channel may come as (H, W)
    has_alpha = space in ("gray", "rgb") and array.shape[2] in (2, 4)
    return DecodedPicture(
        samples=array[..., :-1] if has_alpha else array,
        space=space,
        alpha=array[..., -1] if has_alpha else None,
        profile=profile,
        orientation=orientation_of(picture),
        recipe=recipe_of(picture),
    )
