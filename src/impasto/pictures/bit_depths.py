"""Samples of any bit depth, as 8 or 16 bits; and the scale of floats, which no file tells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import PictureError
from impasto.pictures.profiles import Samples


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


def to_8_or_16_bits(array: NDArray[Any], bits: int, name: str) -> Samples:
    """Samples of a TIFF as 8 bits where they have 8, else as 16.

    Args:
        array: unsigned integers, or floats, whose scale `scaled_to_16_bits` finds.
        bits: bits of a sample; integers run from 0 to 2**bits - 1.
        name: how the message names the picture.

    Raises:
        PictureError: a type of samples that is no picture, or floats beyond every scale.
    """
    if array.dtype.kind == "f":
        return scaled_to_16_bits(array, name, integers=False)
    if array.dtype.kind != "u":
        raise PictureError(
            f"{name}: TIFF samples of type {array.dtype} are no picture; convert them to "
            "unsigned integers or floats"
        )
    if bits in (8, 16):
        return array
    scaled: NDArray[np.uint16] = np.rint(array * (65535.0 / (2**bits - 1))).astype(np.uint16)
    return scaled


def to_8_bits(samples: Samples) -> Samples:
    """Samples of 8 or 16 bits as 8, rounded to the nearest."""
    if samples.dtype == np.uint8:
        return samples
    return np.rint(samples / 257.0).astype(np.uint8)
