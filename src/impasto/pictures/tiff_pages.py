"""Which page of a TIFF is the picture: never its thumbnail, its mask, or a camera raw's preview.

A TIFF may begin with a reduced picture and have the full one in a later page or in a SubIFD (TIFF
6.0, section 8, NewSubfileType; Adobe PageMaker 6.0 TIFF Technical Notes, note 1, SubIFDs), as DNG
and many cameras' raw files do.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Iterator
from typing import IO

import tifffile

from impasto.errors import PictureError

NEW_SUBFILE_TYPE, OLD_SUBFILE_TYPE, BITS_PER_SAMPLE = 254, 255, 258

# NewSubfileType: a reduced picture (bit 0), a transparency mask (2), a depth map (3; DNG 1.5).
_SECONDARY_BITS = 0b1101
_OLD_REDUCED = 2

_RAW = {tifffile.PHOTOMETRIC.CFA, tifffile.PHOTOMETRIC.LINEAR_RAW}
_CANON_RAW = b"II*\0\x10\0\0\0CR\x02\0"  # the head of CR2, which marks no page

# tifffile logs what it finds wrong; without any handler Python would print that on stderr.
_SILENT_HANDLER = logging.NullHandler()


def is_secondary(new_type: int, old_type: int | None = None) -> bool:
    """Whether the tags NewSubfileType and SubfileType mark a page that is not the picture."""
    return bool(new_type & _SECONDARY_BITS) or old_type == _OLD_REDUCED


def beginning_with_the_picture(stream: IO[bytes], name: str) -> IO[bytes]:
    """A TIFF whose first page is the picture.

    The first page of a file is its picture, unless it is marked as something else, or has a larger
    version of itself in a SubIFD. Then it is the first one that is not marked and not smaller.

    Args:
        stream: the file.
        name: how messages name it.

    Returns:
        ``stream`` at its start, or a copy in memory that begins with the right page.

    Raises:
        PictureError: a camera raw file, or no page that is the picture.
    """
    logging.getLogger("tifffile").addHandler(_SILENT_HANDLER)
    stream.seek(0)
    if stream.read(len(_CANON_RAW)) == _CANON_RAW:
        raise _raw(name)
    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        first = file.pages.first
        page = _picture_of(file, name)
        offset, order = page.offset, file.byteorder
        is_big = file.tiff.is_bigtiff
    stream.seek(0)
    if page is first:
        return stream
    # Every offset in a TIFF counts from its start, so that any page can be made the first.
    copy = io.BytesIO(stream.read())
    struct.pack_into(order + ("Q" if is_big else "I"), copy.getbuffer(), 8 if is_big else 4, offset)
    return copy


def _picture_of(file: tifffile.TiffFile, name: str) -> tifffile.TiffPage:
    first = file.pages.first
    if not _is_marked(first):
        own = [first, *_versions(first)]
        _refuse_raw(own, name)
        return max((page for page in own if not _is_marked(page)), key=_pixels)
    for page in _all_pages(file):
        _refuse_raw([page], name)
        if not _is_marked(page) and _pixels(page) >= _pixels(first):
            return page
    raise PictureError(
        f"{name}: the TIFF holds only what it marks as a thumbnail or a mask (NewSubfileType; the "
        f"first page has {first.imagewidth} x {first.imagelength} pixels); give the full picture, "
        "or save this one as a picture of its own"
    )


def _all_pages(file: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    seen = set()
    for page in file.pages:
        # A damaged file may lead back to a page that was there before.
        if page.offset in seen or not isinstance(page, tifffile.TiffPage):
            return
        seen.add(page.offset)
        yield page
        yield from _versions(page)


def _versions(page: tifffile.TiffPage) -> list[tifffile.TiffPage]:
    """The pages in a page's SubIFDs; none where its pointers lead nowhere."""
    try:
        pages, offsets = page.pages, page.subifds
        if pages is None or offsets is None:
            return []
        first_places = dict(zip(reversed(offsets), reversed(range(len(offsets))), strict=True))
        versions = [pages[place] for place in sorted(first_places.values())]
        return [own for own in versions if isinstance(own, tifffile.TiffPage)]
    # Programs that edit a file may leave dead pointers; what tifffile raises there is open-ended.
    except Exception:
        return []


def _is_marked(page: tifffile.TiffPage) -> bool:
    return page.photometric == tifffile.PHOTOMETRIC.MASK or is_secondary(page.subfiletype)


def _pixels(page: tifffile.TiffPage) -> int:
    return int(page.imagewidth * page.imagelength)


def _refuse_raw(pages: list[tifffile.TiffPage], name: str) -> None:
    if any(page.photometric in _RAW for page in pages):
        raise _raw(name)


def _raw(name: str) -> PictureError:
    return PictureError(
        f"{name}: is a camera raw file (samples of the sensor, which are no picture yet); develop "
        "it with a raw converter and give its TIFF or JPEG"
    )
