"""Pillow pictures whose samples are not what their file holds: refused.

Most come to light only as long as the picture is opened and not loaded.
"""

from __future__ import annotations

import PIL.Image

from impasto.errors import PictureError
from impasto.pictures.picture_file import file_of
from impasto.pictures.tiff_pages import (
    BITS_PER_SAMPLE,
    NEW_SUBFILE_TYPE,
    OLD_SUBFILE_TYPE,
    is_secondary,
)

# Tags of TIFF 6.0, section 8, and values of theirs.
_COMPRESSION, _PLANAR_CONFIGURATION = 259, 284
_UNCOMPRESSED, _SEPARATE = 1, 2

# A JPEG 2000 codestream begins with the markers SOC and SIZ (ISO/IEC 15444-1, annex A.5.1). Behind
# them are 36 bytes of length, capabilities and sizes, the number of channels in 2, and of each
# channel the bits, less one.
_CODESTREAM = b"\xff\x4f\xff\x51"
_DEPTH_AT = len(_CODESTREAM) + 36 + 2
_HEAD = 1 << 16  # within which the codestream begins


def refuse_misread(picture: PIL.Image.Image, name: str) -> None:
    """Refuse a picture that Pillow reads as something else.

    Args:
        picture: before Pillow loads its samples.
        name: how the message names it.

    Raises:
        PictureError: as above; the message says what to do.
    """
    for is_misread, words in (
        (
            _is_secondary_page,
            "the TIFF marks this page as a thumbnail or a mask; give the file itself, or seek the "
            "page of the picture",
        ),
        (
            _loses_scale,
            f"Pillow reads {picture.format} of more than 8 bits without its scale, sign or byte "
            "order; convert the samples to floats 0..1 with a library for it",
        ),
        (
            _misplaces_bytes,
            "Pillow mixes up the bytes of this TIFF (separate planes, or big-endian and compressed "
            "floats); give the file itself, or save it without these",
        ),
        (
            _turns_white_black,
            "of JPEG 2000 with more than 8 bits a channel Pillow turns white into black; convert "
            "it to a 16-bit PNG or TIFF",
        ),
        (
            _loses_transparency,
            "Pillow loses which colour of this PNG is transparent; give the file itself",
        ),
    ):
        if is_misread(picture):
            raise PictureError(f"{name}: {words}")


def _is_secondary_page(picture: PIL.Image.Image) -> bool:
    tags = getattr(picture, "tag_v2", {})
    return is_secondary(tags.get(NEW_SUBFILE_TYPE, 0), tags.get(OLD_SUBFILE_TYPE))


def _is_deep(picture: PIL.Image.Image) -> bool:
    return picture.mode[0] in "IF"


def _loses_scale(picture: PIL.Image.Image) -> bool:
    return (picture.format == "FITS" and _is_deep(picture)) or (
        picture.format == "TIFF" and picture.mode == "I"
    )


def _misplaces_bytes(picture: PIL.Image.Image) -> bool:
    """Whether it is a TIFF of a kind that Pillow decodes in a wrong order."""
    if picture.format != "TIFF":
        return False
    tags = getattr(picture, "tag_v2", {})
    bits = tags.get(BITS_PER_SAMPLE, (1,))
    separate = tags.get(_PLANAR_CONFIGURATION) == _SEPARATE and len(bits) > 1
    compressed = tags.get(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED
    big_endian = getattr(tags, "prefix", b"II") == b"MM"
    return (separate and (max(bits) > 8 or len(bits) == 2)) or (
        picture.mode == "F" and compressed and big_endian
    )


def _loses_transparency(picture: PIL.Image.Image) -> bool:
    """Whether one colour of a PNG is transparent that Pillow compares with another depth."""
    if picture.format != "PNG":
        return False
    raw_modes = {str(tile[3]) for tile in getattr(picture, "tile", [])}
    return "transparency" in picture.info and not raw_modes.isdisjoint({"L;2", "L;4", "RGB;16B"})


def _turns_white_black(picture: PIL.Image.Image) -> bool:
    return picture.format == "JPEG2000" and not _is_deep(picture) and _jpeg2000_bits(picture) > 8


def _jpeg2000_bits(picture: PIL.Image.Image) -> int:
    """Bits of the first channel; 0 where the file is no longer at hand."""
    with file_of(picture) as file:
        head = b"" if file is None else file.read(_HEAD)
    at = head.find(_CODESTREAM) + _DEPTH_AT
    return (head[at] & 127) + 1 if _CODESTREAM in head and at < len(head) else 0
