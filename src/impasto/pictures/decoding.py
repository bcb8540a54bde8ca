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
from impasto.pictures.profiles import ColorSpace, Samples


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


def scaled_to_16_bits(array: NDArray[Any], name: str, *, integers: bool) -> NDArray[np.uint16]:
    """Samples whose type does not tell the scale, as 16 bits; their largest value tells it.

    They are read as 0..1 where no value is above 1 (floats only), as 0..255 (what Pillow's own
    conversions give) where none is above 255, else as 0..65535.

    Args:
        array: floats, or integers of 32 bits.
        name: how the message names the picture.
        integers: whether the samples are integers.

    Raises:
        PictureError: values beyond these ranges, NaN included.
    """
    lowest, highest = array.min(), array.max()
    scales = (255, 65535) if integers else (1, 255, 65535)
    # NaN fails every comparison, and so ends in the error.
    scale = next((s for s in scales if lowest >= 0 and highest <= s), None)
    if scale is None:
        raise PictureError(
            f"{name}: samples run from {lowest} to {highest}; bring them into 0 to 1 (floats) "
            "or 0 to 65535 (integers)"
        )
    scaled: NDArray[np.uint16] = np.rint(array * (65535.0 / scale)).astype(np.uint16)
    return scaled


def decode_pillow(picture: PIL.Image.Image, name: str) -> DecodedPicture:
    """Decode a Pillow picture of any mode.

    Modes ``I`` and ``F`` carry no scale; `scaled_to_16_bits` finds it.

    Args:
        picture: the picture; decoded here if it was only opened.
        name: how messages name it.

    Raises:
        PictureError: values of ``I`` or ``F`` beyond every scale, NaN included.
    """
    # The file is at hand only until the picture is loaded.
    profile = profile_of(picture, name)
    picture.load()
    return _from_pillow(picture, *_samples_of(picture, name), profile)


def _samples_of(picture: PIL.Image.Image, name: str) -> tuple[NDArray[Any], ColorSpace]:
    """The samples of a loaded picture, and what they are."""
    mode = picture.mode
    if mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16), "gray"
    if mode in ("I", "F"):
        array = scaled_to_16_bits(np.asarray(picture), name, integers=mode == "I")
        return array, "gray"
    if mode == "LAB":
        # Pillow hands out a and b as signed bytes; ICC shifts them by 128.
        return np.asarray(picture) ^ np.array([0, 128, 128], "u1"), "lab"
    if mode == "CMYK":
        return np.asarray(picture), "cmyk"
    gray = mode in ("1", "L", "LA", "La")
    target = "L" if gray else "RGB"
    if picture.has_transparency_data:
        target += "A"
    return np.asarray(picture.convert(target)), "gray" if gray else "rgb"


def decode_deep_png(
    picture: PIL.Image.Image, stream: IO[bytes], name: str
) -> DecodedPicture | None:
    """Decode a PNG of 16 bits per channel; None if it has fewer.

    Args:
        picture: the same PNG opened by Pillow, which knows the metadata.
        stream: the file.
        name: how messages name it.
    """
    stream.seek(0)
    # The signature (8 bytes), then the IHDR chunk: length, name, width, height (16), bit depth.
    if stream.read(25)[24:] != b"\x10":
        return None
    profile = profile_of(picture, name, bits=16)
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
