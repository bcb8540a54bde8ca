"""Small files that are made to take long: what they repeat is looked at once."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from impasto.errors import PictureError
from impasto.pictures.image import open_image
from impasto.pictures.jpeg_end import all_scans_are_there
from impasto.pictures.nclx import nclx_of
from impasto.pictures.tiff_decoding import decode_tiff
from impasto.pictures.tiff_pages import beginning_with_the_picture

STRIPS = 64
LIMIT = 10**6


class Counting(io.BytesIO):
    """A stream that knows how many bytes were read from it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def jpeg_strips(picture: np.ndarray[Any, Any], *, whole_file: bool, step: int = 0) -> bytes:
    """A TIFF all of whose strips are its first one, which is a JPEG, or go on to the end."""
    stream = io.BytesIO()
    options: dict[str, Any] = {"photometric": "rgb", "compression": "jpeg", "rowsperstrip": 8}
    tifffile.imwrite(stream, picture, **options)
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    with tifffile.TiffFile(stream, mode="r+") as file:
        page = file.pages.first
        assert isinstance(page, tifffile.TiffPage)
        (offset, *_), (count, *_) = page.dataoffsets, page.databytecounts
        if whole_file:
            count = size - offset
        counts = [count - step * number for number in range(STRIPS)]
        page.tags["StripOffsets"].overwrite([offset] * STRIPS)
        page.tags["StripByteCounts"].overwrite(counts)
        return stream.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (8 * STRIPS, 16, 3), dtype=np.uint8)


def test_strips_that_are_one_and_the_same_are_read_once() -> None:
    data = jpeg_strips(NOISE, whole_file=True)
    for limit in (100, LIMIT):
        stream = Counting(data)
        if limit == LIMIT:
            decode_tiff(stream, "a.tif", limit)
        else:
            with pytest.raises(PictureError, match="more than the limit of 100"):
                decode_tiff(stream, "a.tif", limit)
        assert stream.count < 2 * len(data)
    flat = np.full_like(NOISE, 77)
    shared = open_image(io.BytesIO(jpeg_strips(flat, whole_file=False)))
    np.testing.assert_array_equal(shared.to_numpy(), flat)


def test_strips_that_overlap_are_refused() -> None:
    stream = Counting(jpeg_strips(NOISE, whole_file=True, step=1))
    with pytest.raises(PictureError, match=r"a.tif: damaged: the JPEGs in the TIFF overlap"):
        decode_tiff(stream, "a.tif", LIMIT)
    assert stream.count < 2 * len(stream.getvalue())


def test_subifds_that_are_one_and_the_same_are_read_once() -> None:
    # One page of ImageWidth, ImageLength and SubIFDs, whose pointers all lead to a page of two.
    pointers, small = 500, struct.pack("<H2HII2HIII", 2, 256, 4, 1, 8, 257, 4, 1, 8, 0)
    place = 8 + 2 + 3 * 12 + 4
    entries = struct.pack("<H", 3)
    for tag, count, value in ((256, 1, 8), (257, 1, 8), (330, pointers, place + len(small))):
        entries += struct.pack("<HHII", tag, 4, count, value)
    head = b"II*\0" + struct.pack("<I", 8) + entries + bytes(4)
    stream = Counting(head + small + struct.pack("<I", place) * pointers)
    assert beginning_with_the_picture(stream, "a.tif") is stream
    assert stream.count < 3 * len(stream.getvalue())


def test_a_jpeg_scan_beyond_the_standard_brings_nothing() -> None:
    stream = io.BytesIO()
    PIL.Image.fromarray(NOISE).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    assert all_scans_are_there(data)
    assert not all_scans_are_there(data[:2] + b"\xff\xda\0\6\0\0\x3f\0" + data[2:])
    for count, first, last in ((255, 0, 63), (5, 0, 63), (1, 0, 64), (1, 2, 1), (0, 0, 63)):
        body = bytes([count, *[1, 0] * count, first, last, 0])
        scan = b"\xff\xda" + struct.pack(">H", len(body) + 2) + body
        begin = data.index(b"\xff\xda")
        assert not all_scans_are_there(data[:begin] + scan + data[begin:]), (count, first, last)


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def test_tiles_of_an_avif_that_are_one_and_the_same_are_looked_at_once() -> None:
    colors = [box(b"colr", b"prof" + bytes(9))] * 127 + [box(b"colr", b"nclx\0\x0c\0\x0d\0\1\x80")]
    numbers = bytes(range(1, 128)) * 2
    entries = struct.pack(">HB", 2, len(numbers)) + numbers
    tiles = struct.pack(">2H", 1, 50_000) + struct.pack(">H", 2) * 50_000
    iref = box(b"iref", bytes(4), *[box(b"dimg", tiles)] * 8)
    properties = box(
        b"iprp", box(b"ipco", *colors), box(b"ipma", struct.pack(">2I", 0, 1), entries)
    )
    pitm = box(b"pitm", struct.pack(">IH", 0, 1))
    data = box(b"ftyp", b"avif") + box(b"meta", bytes(4), pitm, iref, properties)
    assert nclx_of(data) is None
