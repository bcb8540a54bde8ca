"""The nclx box of an AVIF: code points of its colours, which Pillow does not tell.

The boxes are those of ISO/IEC 14496-12 (ISOBMFF) and 23008-12 (HEIF).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_VISUAL_SAMPLE_ENTRY = 78  # bytes of fields before the boxes inside (14496-12, section 12.1.3.2)


def nclx_of(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer (ITU-T H.273) of the picture that a file shows first.

    Args:
        data: the whole file.

    Returns:
        Both code points; None where the file has no such box, or its boxes are broken.
    """
    try:
        top = list(_boxes(data))
        brand = next((content[:4] for kind, content in top if kind == b"ftyp"), b"")
        # A file of the brand avis shows its track, any other its primary item.
        searches = [_of_primary_item, _of_track]
        for search in reversed(searches) if brand == b"avis" else searches:
            for content in search(top):
                if content[:4] == b"nclx":
                    return struct.unpack_from(">2H", content, 4)
    except (struct.error, IndexError):
        pass
    return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and contents of the boxes that follow one another in these bytes."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            header = 16
        elif size == 0:  # up to the end
            size = len(data) - at
        if size < header:
            return
        yield kind, data[at + header : at + size]
        at += size


def _inside(
    boxes: list[tuple[bytes, bytes]], kind: bytes, skip: int = 0
) -> list[tuple[bytes, bytes]]:
    """The boxes in all boxes of a kind, whose own fields take ``skip`` bytes."""
    return [box for name, content in boxes if name == kind for box in _boxes(content[skip:])]


def _of_primary_item(top: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """The colr boxes of the primary item; of a grid also those of its tiles, which come after."""
    meta = _inside(top, b"meta", 4)
    pitm = dict(meta).get(b"pitm")
    if pitm is None:
        return
    primary = int.from_bytes(pitm[4:6] if pitm[0] == 0 else pitm[4:8])
    properties = _inside(meta, b"iprp")
    stored = _inside(properties, b"ipco")
    indices = dict(_associations([content for kind, content in properties if kind == b"ipma"]))
    for item in dict.fromkeys((primary, *_tiles(meta, primary))):
        for index in indices.get(item, ()):
            # They count from 1; 0 stands for none.
            if 0 < index <= len(stored) and stored[index - 1][0] == b"colr":
                yield stored[index - 1][1]


def _associations(boxes: list[bytes]) -> Iterator[tuple[int, list[int]]]:
    """Items and the numbers of their properties, from ipma boxes (23008-12, section 9.3)."""
    for box in boxes:
        version, wide = box[0], box[3] & 1
        (entries,) = struct.unpack_from(">I", box, 4)
        at = 8
        for _ in range(entries):
            item, count = struct.unpack_from(">HB" if version == 0 else ">IB", box, at)
            at += 3 if version == 0 else 5
            numbers = struct.unpack_from(f">{count}{'H' if wide else 'B'}", box, at)
            at += count * (1 + wide)
            # The highest bit says whether the property is essential.
            yield item, [number & (0x7FFF if wide else 0x7F) for number in numbers]


def _tiles(meta: list[tuple[bytes, bytes]], grid: int) -> Iterator[int]:
    """The items that a derived item is made of (references of the kind dimg)."""
    for name, content in meta:
        if name != b"iref":
            continue
        form = "H" if content[0] == 0 else "I"
        for kind, reference in _boxes(content[4:]):
            width = struct.calcsize(form)
            origin, count = struct.unpack_from(f">{form}H", reference)
            if kind == b"dimg" and origin == grid:
                yield from struct.unpack_from(f">{count}{form}", reference, width + 2)


def _of_track(top: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """The colr boxes of a film's tracks, in the descriptions of their samples."""
    boxes = top
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        boxes = _inside(boxes, kind)
    for kind, content in _inside(_inside(boxes, b"stsd", 8), b"av01", _VISUAL_SAMPLE_ENTRY):
        if kind == b"colr":
            yield content
