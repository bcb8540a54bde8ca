"""An opened picture to samples, whatever its mode and depth.

Pillow decodes most of them. It would cut most 16-bit colour pictures down to 8, so 16-bit PNG goes
to imagecodecs (libpng), and TIFF to tifffile, which uses the same imagecodecs for its compressions;
TIFF of the kinds that need more than samples (palettes, 1-bit fax, YCbCr), or that wrap whole
pictures of another kind (JPEG), stays with Pillow.
"""

import logging
import math
from dataclasses import dataclass
from typing import IO, Any, Literal

import imagecodecs
import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags

from impasto.errors import PictureError
from impasto.pictures.profiles import ColorSpace, Samples
from impasto.settings.recipes import PNG_KEYWORD, recipe_from_json, recipe_from_xmp

_MOST_TIFF_SAMPLES = 5  # cyan, magenta, yellow, black and alpha
_MOST_TIFF_BYTES = 16  # a pixel, on the average: four samples of 32 bits
# The compressions whose decoders stop at the size that the TIFF announces. The others hold
# pictures that announce their own; Pillow (libtiff) compares the two.
_BOUNDED_COMPRESSIONS = {
    tifffile.COMPRESSION.NONE,
    tifffile.COMPRESSION.LZW,
    tifffile.COMPRESSION.ADOBE_DEFLATE,
    tifffile.COMPRESSION.DEFLATE,
    tifffile.COMPRESSION.PACKBITS,
    tifffile.COMPRESSION.LZMA,
    tifffile.COMPRESSION.ZSTD,
}
_XMP_TAG = 700
_ORIENTATION_TAG = int(ExifTags.Base.Orientation)

_TIFF_SPACES: dict[int, ColorSpace] = {
    tifffile.PHOTOMETRIC.MINISWHITE: "gray",
    tifffile.PHOTOMETRIC.MINISBLACK: "gray",
    tifffile.PHOTOMETRIC.RGB: "rgb",
    tifffile.PHOTOMETRIC.SEPARATED: "cmyk",
    tifffile.PHOTOMETRIC.CIELAB: "lab",
    tifffile.PHOTOMETRIC.ICCLAB: "lab",
}

# tifffile logs what it finds wrong; without any handler Python would print that on stderr.
_SILENT_HANDLER = logging.NullHandler()


@dataclass(frozen=True)
class DecodedPicture:
    """A picture as its file holds it: not yet in sRGB, not yet upright."""

    samples: Samples  # (H, W, C), without alpha
    space: ColorSpace
    alpha: Samples | None  # (H, W), of the type of the samples
    profile: bytes | None  # ICC
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
    """Decode a Pillow picture of any mode.

    Modes ``I`` and ``F`` carry no scale. They are read as 0..1 where no value is above 1 (``F``
    only), as 0..255 (what Pillow's own conversions give) where none is above 255, else as 0..65535.

    Args:
        picture: the picture; decoded here if it was only opened.
        name: how messages name it.

    Raises:
        PictureError: values of ``I`` or ``F`` beyond these ranges, NaN included.
    """
    picture.load()
    mode = picture.mode
    array: NDArray[Any]
    if mode.startswith("I;16"):
        array = np.asarray(picture).astype(np.uint16)
        return _from_pillow(picture, array[..., None], "gray")
    if mode in ("I", "F"):
        array = _scaled_to_16_bits(np.asarray(picture), name, integers=mode == "I")
        return _from_pillow(picture, array[..., None], "gray")
    if mode == "LAB":
        # Pillow hands out a and b as signed bytes; ICC shifts them by 128.
        return _from_pillow(picture, np.asarray(picture) ^ np.array([0, 128, 128], "u1"), "lab")
    if mode == "CMYK":
        return _from_pillow(picture, np.asarray(picture), "cmyk")
    gray = mode in ("1", "L", "LA", "La")
    target = "L" if gray else "RGB"
    if picture.has_transparency_data:
        target += "A"
    array = np.asarray(picture.convert(target))
    array = array[..., None] if array.ndim == 2 else array
    return _from_pillow(picture, array, "gray" if gray else "rgb")


def decode_deep_png(picture: PIL.Image.Image, stream: IO[bytes]) -> DecodedPicture | None:
    """Decode a PNG of 16 bits per channel; None if it has fewer.

    Args:
        picture: the same PNG opened by Pillow, which knows the metadata.
        stream: the file.
    """
    stream.seek(0)
    # The signature (8 bytes), then the IHDR chunk: length, name, width, height (16), bit depth.
    if stream.read(25)[24:] != b"\x10":
        return None
    stream.seek(0)
    array = imagecodecs.png_decode(stream.read())
    array = array[..., None] if array.ndim == 2 else array
    return _from_pillow(picture, array, "gray" if array.shape[2] < 3 else "rgb")


def decode_tiff(stream: IO[bytes], name: str, max_pixels: int) -> DecodedPicture | None:
    """Decode the first page of a TIFF of grey, RGB, CMYK or Lab samples; None if it is another.

    Integers and floats of more than 8 bits become 16-bit samples; the scale of floats is found as
    :func:`decode_pillow` does for mode ``F``.

    Raises:
        PictureError: too many pixels, layers or samples, or a type of samples that is no picture.
    """
    logging.getLogger("tifffile").addHandler(_SILENT_HANDLER)
    with tifffile.TiffFile(stream) as file:
        page = file.pages.first
        space = _TIFF_SPACES.get(page.photometric)
        if space is None or page.dtype is None or page.bitspersample < 8:
            return None
        _check_tiff_size(page, name, max_pixels)
        if page.compression not in _BOUNDED_COMPRESSIONS:
            return None
        color, alpha = _tiff_color_and_alpha(page, space, name)
        xmp = page.tags.valueof(_XMP_TAG, b"")
        return DecodedPicture(
            samples=color,
            space=space,
            alpha=alpha,
            profile=page.iccprofile,
            orientation=int(page.tags.valueof(_ORIENTATION_TAG, 1)),
            recipe=recipe_from_xmp(xmp) if isinstance(xmp, (bytes, str)) else None,
        )


def recipe_of(picture: PIL.Image.Image) -> dict[str, Any] | None:
    """The recipe among the metadata that Pillow has read so far, if there is one."""
    text = picture.info.get(PNG_KEYWORD)
    if isinstance(text, str):
        return recipe_from_json(text)
    packet = picture.info.get("xmp")
    return recipe_from_xmp(packet) if isinstance(packet, (bytes, str)) else None


def _check_tiff_size(page: tifffile.TiffPage, name: str, max_pixels: int) -> None:
    """Refuse what would take more memory than a picture of the pixels allowed.

    Width and height do not tell: each pixel may have thousands of samples, each tile may be larger
    than the picture.
    """
    check_size((page.imagewidth, page.imagelength), name, max_pixels)
    if page.imagedepth != 1:
        raise PictureError(
            f"{name}: a TIFF volume of {page.imagedepth} layers is no picture; save one of them"
        )
    samples = page.samplesperpixel
    if samples > _MOST_TIFF_SAMPLES:
        raise PictureError(
            f"{name}: a TIFF of {samples} samples per pixel is no picture (at most "
            f"{_MOST_TIFF_SAMPLES}: CMYK and alpha); convert it to RGB"
        )
    tile = page.tilewidth * page.tilelength * page.tiledepth if page.is_tiled else 0
    decoded = max(math.prod(page.shaped), tile * samples) * np.dtype(page.dtype).itemsize
    if decoded > _MOST_TIFF_BYTES * max_pixels:
        enough = -(-decoded // _MOST_TIFF_BYTES)
        raise PictureError(
            f"{name}: decoded it takes {decoded} bytes, and the limit of {max_pixels} pixels "
            f"allows {_MOST_TIFF_BYTES * max_pixels}; raise it with --max-pixels {enough} "
            "(max_pixels in Python) if you trust it"
        )


def _tiff_color_and_alpha(
    page: tifffile.TiffPage, space: ColorSpace, name: str
) -> tuple[Samples, Samples | None]:
    # shaped is (separate planes, depth, height, width, interleaved samples); the depth is 1.
    array = page.asarray().reshape(page.shaped[0], *page.shaped[2:])
    separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    array = np.concatenate(array, axis=-1) if separate else array[0]
    samples = _to_8_or_16_bits(array, page.bitspersample, name)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        samples = np.iinfo(samples.dtype).max - samples
    channels = {"gray": 1, "cmyk": 4}.get(space, 3)
    color, alpha = samples[..., :channels], None
    kind = page.extrasamples[0] if page.extrasamples else None
    if kind in (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA):
        alpha = samples[..., channels]
        if kind == tifffile.EXTRASAMPLE.ASSOCALPHA:
            color = _unmultiplied(color, alpha)
    if space == "lab":
        color = _lab_of_icc(color, page.photometric)
    return color, alpha


def _from_pillow(
    picture: PIL.Image.Image, array: NDArray[Any], space: ColorSpace
) -> DecodedPicture:
    """Join samples, which may end in an alpha channel, with the metadata that Pillow read."""
    has_alpha = space in ("gray", "rgb") and array.shape[2] in (2, 4)
    return DecodedPicture(
        samples=array[..., :-1] if has_alpha else array,
        space=space,
        alpha=array[..., -1] if has_alpha else None,
        profile=picture.info.get("icc_profile"),
        orientation=_orientation_of(picture),
        recipe=recipe_of(picture),
    )


def _orientation_of(picture: PIL.Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    # Broken EXIF in good pictures is common, and what Pillow raises on it open-ended.
    except Exception:
        return 1


def _scaled_to_16_bits(array: NDArray[Any], name: str, *, integers: bool) -> NDArray[np.uint16]:
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


def _to_8_or_16_bits(array: NDArray[Any], bits: int, name: str) -> Samples:
    if array.dtype.kind == "f":
        return _scaled_to_16_bits(array, name, integers=False)
    if array.dtype.kind != "u":
        raise PictureError(
            f"{name}: TIFF samples of type {array.dtype} are no picture; convert them to "
            "unsigned integers or floats"
        )
    if bits in (8, 16):
        return array
    scaled: NDArray[np.uint16] = np.rint(array * (65535.0 / (2**bits - 1))).astype(np.uint16)
    return scaled


def _unmultiplied(color: Samples, alpha: Samples) -> Samples:
    highest = np.iinfo(color.dtype).max
    share = np.maximum(alpha, 1)[..., None] / highest
    result: Samples = np.rint((color / share).clip(0, highest)).astype(color.dtype)
    return result


def _lab_of_icc(samples: Samples, photometric: int) -> Samples:
    """TIFF's Lab to that of ICC.1 version 4: a and b shifted by half the range, never signed.

    CIELAB has signed a and b, ICCLAB shifted ones. With 16 bits ICC has 257 steps to a unit of a
    and b; TIFF has 256, and ICCLAB lets L, too, end at 65280.
    """
    highest = np.iinfo(samples.dtype).max
    signed = photometric == tifffile.PHOTOMETRIC.CIELAB
    shift = np.array([0, 1, 1], samples.dtype) * samples.dtype.type((highest + 1) // 2)
    lab = samples ^ shift if signed else samples
    if highest == 255:
        return lab
    stretch = np.array([1 if signed else 257 / 256, 257 / 256, 257 / 256])
    result: Samples = np.rint((lab * stretch).clip(0, highest)).astype(np.uint16)
    return result
