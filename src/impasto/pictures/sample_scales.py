"""What samples mean: one rule for files, Pillow pictures, arrays and tensors.

The type of the samples tells their scale, never their values: a dark picture is as dark as it was.

- Floats run from 0 (black) to 1 (white). Resampling and sharpening overshoot a little, and what is
  at most `SLIGHT` outside is clamped. What is further outside (high dynamic range, counts of a
  sensor, 0..255, -1..1), NaN and infinity are refused.
- Unsigned integers run from 0 to the largest value of their bits: 4095 for 12 bits. TIFF's
  MinSampleValue and MaxSampleValue are statistics, not a scale (TIFF 6.0, section 8), and are not
  looked at.
- Booleans are black and white.
- Signed integers have no scale that programs agree on, and are refused. The exception is Pillow's
  mode ``I``, 32 bits signed, in which Pillow holds samples of 16: see `sixteen_bits_of_mode_i`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.errors import PictureError
from impasto.pictures.profiles import Samples

SLIGHT = 0.15
"""How far floats may leave 0..1 and are clamped.

Bicubic and Lanczos resampling of photographs go to -0.12 and 1.13; pictures in -1..1 go far below.
"""

_REMEDY = (
    f"they should run from 0 to 1 (what is at most {SLIGHT:g} outside is clamped): divide 0..255 "
    "by 255 and counts by the value of white, turn -1..1 into (x + 1) / 2, tone-map HDR"
)


def check_range(array: NDArray[Any], name: str) -> None:
    """Refuse floats that are no samples.

    Args:
        array: floats of any width and byte order.
        name: how the message names the picture.

    Raises:
        PictureError: NaN, infinity, or values more than `SLIGHT` outside of 0..1.
    """
    lowest, highest = array.min(), array.max()
    if lowest >= -SLIGHT and highest <= 1 + SLIGHT:  # false for NaN
        return
    broken = array.size - int(np.isfinite(array).sum())
    if broken:
        raise PictureError(
            f"{name}: {broken} of {array.size} samples are NaN or infinite; replace them "
            "(numpy.nan_to_num)"
        )
    raise PictureError(f"{name}: float samples run from {lowest:g} to {highest:g}; {_REMEDY}")


def unit_floats(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Float samples as float32 in 0..1; always a copy. Arguments and errors as `check_range`."""
    check_range(array, name)
    with np.errstate(under="ignore"):  # the host program may have set it to raise
        return np.asarray(array, np.float32).clip(0, 1)


def as_16_bits(floats: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Floats in 0..1 as the nearest samples of 16 bits."""
    # float32 holds 65535 steps with room to spare.
    samples: NDArray[np.uint16] = np.rint(floats * np.float32(65535)).astype(np.uint16)
    return samples


def as_8_or_16_bits(array: NDArray[Any], bits: int) -> Samples:
    """Unsigned integers as samples of 8 bits where they have 8, else as the nearest of 16.

    Args:
        array: from 0 to 2**bits - 1, in a type that may be wider.
        bits: 8 to 16.
    """
    if bits in (8, 16):
        return array.astype(np.uint8 if bits == 8 else np.uint16, copy=False)
    scaled: NDArray[np.uint16] = np.rint(array * (65535.0 / (2**bits - 1))).astype(np.uint16)
    return scaled


def sixteen_bits_of_mode_i(
    array: NDArray[Any], name: str, *, known: bool = False
) -> NDArray[np.uint16]:
    """Samples of Pillow's mode ``I`` as 16 bits.

    Pillow opens PGM of more than 8 bits (older versions PNG, too) as ``I`` with values up to 65535,
    and writes ``I`` as PNG of 16 bits. Its ``convert("I")`` keeps 0..255, though, and its
    ``convert("L")`` expects that. So a picture without a value above 255 may be either, and is
    refused unless it is black.

    Args:
        array: int32.
        name: how the message names the picture.
        known: whether the samples certainly have 16 bits.

    Raises:
        PictureError: values outside of 0..65535, or an ambiguous picture.
    """
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0 or highest > 65535:
        raise PictureError(
            f"{name}: samples of mode I run from {lowest} to {highest}; they should run from 0 to "
            "65535 (16 bits): scale them"
        )
    if 0 < highest <= 255 and not known:
        raise PictureError(
            f"{name}: samples of mode I run from {lowest} to {highest}, which is nearly black if "
            'white is 65535 (16 bits) as mode I has it; if white is 255, give convert("L") of it'
        )
    return array.astype(np.uint16)
