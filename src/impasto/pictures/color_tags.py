"""What a picture says of its colours beside an ICC profile, and which of its words counts.

Each answers with the ICC profile to read the samples by, empty where they are sRGB, or None where
the picture says nothing. The first answer counts:

1. PNG's cICP chunk (PNG third edition, section 4.3, for this and the order of 2 to 4);
2. an embedded ICC profile;
3. PNG's sRGB chunk;
4. PNG's gAMA and cHRM; of the one that is missing sRGB's is taken;
5. the nclx box of AVIF and HEIC (after an ICC profile: ISO/IEC 23008-12, section 6.5.5);
6. EXIF: either of the interoperability index R03 and colour space 2 means Adobe RGB (DCF 2.0),
   unless the colour space is 1, sRGB.

Of inks (CMYK) and Lab only an ICC profile says something.

TIFF has tags of its own (TIFF 6.0, section 20), which count where there is no ICC profile.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ExifTags

from impasto.pictures.colorimetry import (
    ADOBE_RGB,
    ADOBE_RGB_GAMMA,
    SRGB,
    UNSPECIFIED,
    Chromaticities,
    profile_of_chromaticities,
    profile_of_code_points,
    usable,
)
from impasto.pictures.host_settings import warn
from impasto.pictures.nclx import nclx_of
from impasto.pictures.picture_file import told_by_file

_COLOR_SPACE_TAG = int(ExifTags.Base.ColorSpace)
_INTEROPERABILITY_INDEX_TAG = 1
# Files round sRGB's own numbers: they count as sRGB, so that its samples stay as they are.
_SRGB_EXPONENT = 2.2
_EXPONENT_TOLERANCE = 0.0101  # relative; 0.45 instead of 1 / 2.2 is within it
_CHROMATICITY_TOLERANCE = 0.002
_GAMMAS = (0.1, 10.0)


def profile_of(picture: PIL.Image.Image, name: str, bits: int = 8) -> bytes | None:
    """The ICC profile to read a picture's colours by.

    Chunks and boxes that Pillow does not tell are read from the picture's file. A picture derived
    by Pillow (resized, converted) has none, and comes without them.

    Args:
        picture: opened by Pillow.
        name: how warnings name it.
        bits: of a sample, 8 or 16.

    Returns:
        The profile; None where the samples are to be taken as sRGB.

    Warns:
        PictureWarning: a tag that makes no sense, which is then ignored.
    """
    if picture.mode in ("CMYK", "LAB"):
        return picture.info.get("icc_profile") or None
    profile = _of_cicp(picture, name, bits)
    if profile is None:
        profile = picture.info.get("icc_profile")
    for read in (_of_srgb_chunk, _of_gamma_and_chromaticities, _of_nclx, _of_exif):
        if profile is None:
            profile = read(picture, name)
    return profile or None


def profile_of_tiff_tags(
    white: Sequence[int] | None,
    primaries: Sequence[int] | None,
    transfer: Sequence[int] | None,
    name: str,
) -> bytes | None:
    """The ICC profile of a TIFF's WhitePoint, PrimaryChromaticities and TransferFunction.

    Args:
        white: numerators and denominators of x and y; None for D65.
        primaries: the same of red, green and blue; None for those of sRGB.
        transfer: light of each code of a sample, 0 to 65535; one table, or one for each of three
            channels; None for sRGB's curve.
        name: how warnings name the picture.

    Returns:
        The profile; None where all are missing or those of sRGB.

    Warns:
        PictureWarning: chromaticities that make no sense, which are then ignored.
    """
    chromaticities: Chromaticities | None = None
    if primaries is not None:
        points = np.append(white or (3127, 10000, 3290, 10000), primaries).astype(float)
        above, below = points[::2], points[1::2]
        values = above[: below.size] / np.maximum(below, 1)
        chromaticities = _checked(tuple(values.tolist()), name, "PrimaryChromaticities tag")
    curves = None if transfer is None else _tables(transfer)
    if curves is None and chromaticities in (None, SRGB):
        return None
    return profile_of_chromaticities(chromaticities or SRGB, curves)


def _tables(transfer: Sequence[int]) -> NDArray[np.float64] | None:
    """One or three tables, of 4096 steps where they have more; None for another number of codes."""
    light = np.ravel(transfer).astype(float) / 65535
    for channels in (1, 3):
        codes = light.size // channels
        if codes * channels == light.size and codes in (2**8, 2**16):
            # A length that Little CMS takes; between its steps it draws straight lines.
            steps = np.linspace(0, codes - 1, min(codes, 4096))
            tables = light.reshape(channels, codes)
            return np.squeeze([np.interp(steps, np.arange(codes), table) for table in tables])
    return None


def _of_cicp(picture: PIL.Image.Image, name: str, bits: int) -> bytes | None:
    chunk = told_by_file(picture, "PNG", _cicp_chunk)
    if chunk is None:
        return None
    primaries, transfer, matrix, full_range = chunk
    if matrix != 0:
        _warn(name, f"the cICP chunk has matrix coefficients {matrix}, and PNG allows only 0")
        return None
    narrow_bits = None if full_range else bits
    if primaries == transfer == UNSPECIFIED and narrow_bits is None:
        return None
    return _of_code_points(primaries, transfer, name, "cICP chunk", narrow_bits)


def _cicp_chunk(file: IO[bytes]) -> tuple[int, int, int, int] | None:
    """The four numbers of the cICP chunk, which stands before the pixels."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"cICP" and length == 4:
            return struct.unpack(">4B", file.read(4).ljust(4, b"\0"))
        if kind in (b"IDAT", b"IEND"):
            return None
        file.seek(length + 4, 1)
    return None


def _of_srgb_chunk(picture: PIL.Image.Image, name: str) -> bytes | None:
    return b"" if "srgb" in picture.info else None


def _of_gamma_and_chromaticities(picture: PIL.Image.Image, name: str) -> bytes | None:
    gamma = _gamma_of(picture.info, name)
    chromaticities = _chromaticities_of(picture.info, name)
    if gamma is None and chromaticities is None:
        return None
    if gamma is not None and abs(gamma * _SRGB_EXPONENT - 1) < _EXPONENT_TOLERANCE:
        if chromaticities in (None, SRGB):
            return b""
    elif gamma is None and chromaticities == SRGB:
        return b""
    return profile_of_chromaticities(chromaticities or SRGB, None if gamma is None else 1 / gamma)


def _gamma_of(info: Mapping[Any, Any], name: str) -> float | None:
    """The exponent that encoded the samples: 1 / 2.2 and the like."""
    gamma = info.get("gamma")
    if gamma is None:
        return None
    lowest, highest = _GAMMAS
    if isinstance(gamma, (int, float)) and lowest <= gamma <= highest:
        return float(gamma)
    _warn(name, f"the gAMA chunk says {gamma}, which is not within {lowest:g} to {highest:g}")
    return None


def _chromaticities_of(info: Mapping[Any, Any], name: str) -> Chromaticities | None:
    values = info.get("chromaticity")
    return None if values is None else _checked(tuple(values), name, "cHRM chunk")


def _checked(values: tuple[float, ...], name: str, tag: str) -> Chromaticities | None:
    """White and primaries that can be used, and sRGB's own where they are nearly that."""
    if len(values) != 8 or not usable(values):
        _warn(name, f"the {tag} says {values}, which are no primaries around a white")
        return None
    if np.abs(np.subtract(values, SRGB)).max() <= _CHROMATICITY_TOLERANCE:
        return SRGB
    return values


def _of_nclx(picture: PIL.Image.Image, name: str) -> bytes | None:
    box = picture.info.get("nclx_profile")  # of pillow-heif
    if isinstance(box, dict):
        points = (box.get("color_primaries"), box.get("transfer_characteristics"))
    else:
        read = told_by_file(picture, "AVIF", lambda file: nclx_of(file.read()))
        points = read or (None, None)
    primaries, transfer = (UNSPECIFIED if point is None else int(point) for point in points)
    if primaries == transfer == UNSPECIFIED:
        return None
    return _of_code_points(primaries, transfer, name, "nclx box")


def _of_code_points(
    primaries: int, transfer: int, name: str, tag: str, narrow_bits: int | None = None
) -> bytes | None:
    profile = profile_of_code_points(primaries, transfer, narrow_bits)
    if profile is None:
        points = f"{primaries} and {transfer}"
        _warn(name, f"the {tag} has the code points {points}, which ITU-T H.273 reserves")
    return profile


def _of_exif(picture: PIL.Image.Image, name: str) -> bytes | None:
    space = _exif_value(picture, ExifTags.IFD.Exif, _COLOR_SPACE_TAG)
    index = _exif_value(picture, ExifTags.IFD.Interop, _INTEROPERABILITY_INDEX_TAG)
    if isinstance(index, bytes):
        index = index.decode("ascii", "replace")
    if space == 2 or (space != 1 and str(index).rstrip("\0 ") == "R03"):
        return profile_of_chromaticities(ADOBE_RGB, ADOBE_RGB_GAMMA)
    return None


def _exif_value(picture: PIL.Image.Image, directory: int, tag: int) -> Any:
    try:
        return picture.getexif().get_ifd(directory).get(tag)
    except Warning:  # the host turns warnings into errors, which says nothing of the EXIF
        raise
    # Broken EXIF in good pictures is common, and what Pillow raises on it open-ended.
    except Exception:
        return None


def _warn(name: str, reason: str) -> None:
    warn(f"{name}: {reason}; ignored")
