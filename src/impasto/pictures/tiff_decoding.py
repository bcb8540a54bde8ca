"""TIFF files to samples, by tifffile.

TIFF of the kinds that need more than samples (palettes, 1-bit fax, YCbCr), or that wrap whole
pictures of another kind (JPEG), is left to Pillow.
"""

from __future__ import annotations

import math
from typing import IO, Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from impasto.errors import PictureError
from impasto.pictures.color_tags import profile_of_tiff_tags
from impasto.pictures.decoding import DecodedPicture, check_size
from impasto.pictures.jpeg_end import with_end_mark
from impasto.pictures.metadata import ORIENTATION_TAG, XMP_TAG, recipe_from_xmp
from impasto.pictures.profiles import ColorSpace, Samples
from impasto.pictures.sample_scales import as_8_or_16_bits, as_16_bits, unit_floats
from impasto.pictures.transparency import unmultiply

_MOST_SAMPLES = 5  # cyan, magenta, yellow, black and alpha
_MOST_BYTES = 16  # a pixel, on the average: four samples of 32 bits
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

_ALPHAS = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)

_SPACES: dict[int, ColorSpace] = {
    tifffile.PHOTOMETRIC.MINISWHITE: "gray",
    tifffile.PHOTOMETRIC.MINISBLACK: "gray",
    tifffile.PHOTOMETRIC.RGB: "rgb",
    tifffile.PHOTOMETRIC.SEPARATED: "cmyk",
    tifffile.PHOTOMETRIC.CIELAB: "lab",
    tifffile.PHOTOMETRIC.ICCLAB: "lab",
}
_COLOR_TAGS = (318, 319, 301)  # WhitePoint, PrimaryChromaticities, TransferFunction


def decode_tiff(stream: IO[bytes], name: str, max_pixels: int) -> DecodedPicture | None:
    """Decode the first page of a TIFF of grey, RGB, CMYK or Lab samples; None if it is another.

    Integers and floats of more than 8 bits become 16-bit samples, by the rule of `sample_scales`.

    Args:
        stream: the file, as `tiff_pages` gives it.
        name: how messages name it.
        max_pixels: the most pixels (width times height) to accept.

    Raises:
        PictureError: too many pixels, layers or samples, or a type of samples that is no picture.
    """
    with tifffile.TiffFile(stream) as file:
        page = file.pages.first
        check_size((page.imagewidth, page.imagelength), name, max_pixels)
        _check_jpegs(page, file.filehandle, name)
        space = _SPACES.get(page.photometric)
        if space is None or page.dtype is None or not isinstance(page.bitspersample, int):
            return None
        if page.bitspersample < 8:
            return None
        _check_size_in_memory(page, name, max_pixels)
        if page.compression not in _BOUNDED_COMPRESSIONS:
            return None
        color, alpha = _color_and_alpha(page, space, name)
        xmp = page.tags.valueof(XMP_TAG, b"")
        return DecodedPicture(
            samples=color,
            space=space,
            alpha=alpha,
            profile=page.iccprofile or _profile_of_tags(page, space, name),
            orientation=int(page.tags.valueof(ORIENTATION_TAG, 1)),
            recipe=recipe_from_xmp(xmp) if isinstance(xmp, (bytes, str)) else None,
        )


def _check_jpegs(page: tifffile.TiffPage, file: tifffile.FileHandle, name: str) -> None:
    """Refuse JPEG strips and tiles that lack pixels; libtiff would fill them up with grey."""
    if page.compression != tifffile.COMPRESSION.JPEG:
        return
    # Tables that all share stand apart, as a JPEG without pixels (TIFF Technical Note 2).
    tables = page.jpegtables[2:-2] if page.jpegtables else b""
    # Some may be one and the same; apart from that, they take no more than the file has.
    strips = dict.fromkeys(zip(page.dataoffsets, page.databytecounts, strict=True))
    if sum(max(min(count, file.size - offset), 0) for offset, count in strips) > file.size:
        raise PictureError(f"{name}: damaged: the JPEGs in the TIFF overlap; save it anew")
    for offset, count in strips:
        file.seek(offset)
        if count and with_end_mark(file.read(count), tables) is None:
            raise PictureError(
                f"{name}: damaged: a JPEG in the TIFF is cut short, some of its pixels are missing"
            )


def _profile_of_tags(page: tifffile.TiffPage, space: ColorSpace, name: str) -> bytes | None:
    """The ICC profile that the tags of white, primaries and transfer make, if they are there."""
    if space not in ("gray", "rgb"):
        return None
    white, primaries, transfer = (page.tags.valueof(tag) for tag in _COLOR_TAGS)
    return profile_of_tiff_tags(white, primaries, transfer, name)


def _check_size_in_memory(page: tifffile.TiffPage, name: str, max_pixels: int) -> None:
    """Refuse what would take more memory than a picture of the pixels allowed.

    Width and height do not tell: each pixel may have thousands of samples, each tile may be larger
    than the picture.
    """
    if page.imagedepth != 1:
        raise PictureError(
            f"{name}: a TIFF volume of {page.imagedepth} layers is no picture; save one of them"
        )
    samples = page.samplesperpixel
    if samples > _MOST_SAMPLES:
        raise PictureError(
            f"{name}: a TIFF of {samples} samples per pixel is no picture (at most "
            f"{_MOST_SAMPLES}: CMYK and alpha); convert it to RGB"
        )
    tile = page.tilewidth * page.tilelength * page.tiledepth if page.is_tiled else 0
    decoded = max(math.prod(page.shaped), tile * samples) * np.dtype(page.dtype).itemsize
    if decoded > _MOST_BYTES * max_pixels:
        enough = -(-decoded // _MOST_BYTES)
        raise PictureError(
            f"{name}: decoded it takes {decoded} bytes, and the limit of {max_pixels} pixels "
            f"allows {_MOST_BYTES * max_pixels}; raise it with --max-pixels {enough} "
            "(max_pixels in Python) if you trust it"
        )


def _color_and_alpha(
    page: tifffile.TiffPage, space: ColorSpace, name: str
) -> tuple[Samples, Samples | None]:
    # shaped is (separate planes, depth, height, width, interleaved samples); the depth is 1.
    array = page.asarray().reshape(page.shaped[0], *page.shaped[2:])
    separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    array = np.concatenate(array, axis=-1) if separate else array[0]
    channels = {"gray": 1, "cmyk": 4}.get(space, 3)
    extras = [int(kind) for kind in page.extrasamples]
    if space == "gray" and len(extras) > 1 and not set(extras) & set(_ALPHAS):
        raise PictureError(
            f"{name}: a TIFF of grey and {len(extras)} more channels of no stated meaning is no "
            "picture; save the channels that are red, green and blue as RGB"
        )
    samples = _scaled(array, page, name)
    color, alpha = samples[..., :channels], None
    at = next((at for at, kind in enumerate(extras) if kind in _ALPHAS), None)
    if at is not None:
        alpha = samples[..., channels + at]
        if extras[at] == tifffile.EXTRASAMPLE.ASSOCALPHA:
            color = unmultiply(color, alpha)
    if samples.dtype == np.float32:
        color, alpha = as_16_bits(color), None if alpha is None else as_16_bits(alpha)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        color = np.iinfo(color.dtype).max - color
    if space == "lab":
        color = _lab_of_icc(color, page.photometric)
    return color, alpha


def _scaled(array: NDArray[Any], page: tifffile.TiffPage, name: str) -> NDArray[Any]:
    """Integers as samples of 8 or 16 bits, wider ones and floats as float32 in 0..1.

    Raises:
        PictureError: a type of samples that has no scale, or floats that are outside of it.
    """
    if array.dtype.kind == "f" and _SPACES[page.photometric] != "lab":
        return unit_floats(array, name)
    if array.dtype.kind != "u":
        kind = tifffile.PHOTOMETRIC(page.photometric).name
        raise PictureError(
            f"{name}: {kind} samples of type {array.dtype} in a TIFF have no scale; convert them "
            "to RGB of unsigned integers or floats 0..1"
        )
    bits = page.bitspersample
    if bits > 16 and bits not in (32, 64):  # tifffile takes no heed of their byte order
        raise PictureError(
            f"{name}: a TIFF of {bits} bits a sample cannot be read; save it with 8, 16 or 32"
        )
    if bits > 16:
        return (array / float(2**bits - 1)).astype(np.float32)
    return as_8_or_16_bits(array, bits)


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
