"""JPEG files without their end mark: those that lack it alone, told from those that lack pixels.

Decoders cannot tell the two: they take any end of the data for the end of the picture and fill it
up with grey, or read zeros that follow as pixels. libjxl can, because it turns a JPEG into a JPEG
XL from which every bit of it must come back: it refuses coefficients that are not there, be it a
single bit.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import imagecodecs

# A byte 0xFF, and what is no stuffing (0x00), no restart mark and no filling (0xFF).
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
_FRAMES = range(0xC0, 0xD0)
_NO_FRAMES = {0xC4, 0xC8, 0xCC}  # tables, and a code that is reserved
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_BEGIN, _END, _SCAN = 0xD8, 0xD9, 0xDA
_ALL = bytearray(64)  # the lowest bit of every coefficient


def with_end_mark(data: bytes, tables: bytes = b"") -> bytes | None:
    """A JPEG with its end mark; None where more than that is missing.

    Zeros at the end, with which recovered files are filled up, are taken away.

    Args:
        data: the file.
        tables: segments of it that are kept elsewhere, and stand behind its first mark.

    Returns:
        ``data`` itself where nothing is missing.
    """
    last = (0, len(data))
    for marker, start, _ in _segments(data):
        last = (marker, start)
    if last[0] == _END:
        return data
    rest = data[: last[1]] if last[0] == _BEGIN else data
    whole = (ended for ended in _ended(rest) if is_whole(ended[:2] + tables + ended[2:]))
    return next(whole, None)


def _ended(data: bytes) -> Iterator[bytes]:
    """Data with the end mark, as it may have been before the data were cut and filled up."""
    rest = data.rstrip(b"\0")
    zeros = len(data) - len(rest)
    yield rest + (b"\xd9" if rest.endswith(b"\xff") else b"\xff\xd9")
    # A zero may be the pixels' own. Only one is believed: more would be read as pixels that
    # are not there. After 0xFF it is that byte's stuffing.
    if zeros == 1 or (zeros and rest.endswith(b"\xff")):
        yield rest + b"\0\xff\xd9"


def is_whole(data: bytes) -> bool:
    """Whether every coefficient of a JPEG is surely there; of four inks that is never sure.

    Args:
        data: the file, with its end mark.
    """
    if not all_scans_are_there(data):
        return False
    try:
        imagecodecs.jpegxl_encode_jpeg(data)
    except (imagecodecs.JpegxlError, imagecodecs.DelayedImportError):
        return False
    return True


def all_scans_are_there(data: bytes) -> bool:
    """Whether the scans bring every component, and a progressive JPEG every bit of it.

    libjxl cannot know that further scans should follow, if a file ends between two.

    Args:
        data: the file, with its end mark.
    """
    try:
        components, lowest = _scans_of(data)
    except (IndexError, ValueError, struct.error):  # a segment that ends early, or is none
        return False
    return bool(components) and all(lowest.get(number) == _ALL for number in components)


def _scans_of(data: bytes) -> tuple[list[int], dict[int, bytearray]]:
    """The components, and the lowest bit that the scans bring of each of their 64 coefficients.

    Raises:
        ValueError: a scan of more than T.81 allows (section B.2.3), which no decoder takes.
    """
    components: list[int] = []
    progressive = False
    # Successive approximation: ITU-T T.81, section G.1.1.1.2.
    lowest: dict[int, bytearray] = {}
    for marker, _, segment in _segments(data):
        if marker in _FRAMES and marker not in _NO_FRAMES:
            progressive = marker in _PROGRESSIVE
            components = [segment[6 + 3 * index] for index in range(segment[5])]
        elif marker == _SCAN:
            count = segment[0]
            first, last, bits = struct.unpack_from("3B", segment, 1 + 2 * count)
            if not progressive:
                first, last, bits = 0, 63, 0
            if not (1 <= count <= 4 and first <= last <= 63):
                raise ValueError(f"a scan of {count} components, {first} to {last}")
            for component in segment[1 : 1 + 2 * count : 2]:
                scanned = lowest.setdefault(component, bytearray(b"\xff" * 64))
                scanned[first : last + 1] = bytes([bits & 15]) * (last + 1 - first)
    return components, lowest


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Markers, where they are, and what their segments hold; up to an end, or another beginning."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker in (_BEGIN, _END):
            yield marker, found.start(), b""
            return
        length = max(int.from_bytes(data[at : at + 2]), 2)
        yield marker, found.start(), data[at + 2 : at + length]
        at += length
