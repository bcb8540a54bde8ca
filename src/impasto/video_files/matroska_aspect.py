"""The shape of pixels in a Matroska or WebM, put in after it was written.

FFmpeg writes it only for streams that say it in a field which PyAV does not reach. It leaves an
empty element before the description of the tracks, and that gives the bytes for it (RFC 9559, 5.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

_MOST_HEAD = 1 << 20
_SEGMENT, _SEEK_HEAD, _SEEK = b"\x18\x53\x80\x67", b"\x11\x4d\x9b\x74", b"\x4d\xbb"
_SEEK_ID, _SEEK_POSITION = b"\x53\xab", b"\x53\xac"
_VOID, _TRACKS, _TRACK, _VIDEO = b"\xec", b"\x16\x54\xae\x6b", b"\xae", b"\xe0"
_WIDTH, _HEIGHT, _UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
_CLUSTER = b"\x1f\x43\xb6\x75"


class _Element(NamedTuple):
    name: bytes
    start: int
    content: int
    end: int


def set_sample_aspect(path: Path, size: tuple[int, int], aspect: Fraction) -> None:
    """Say in a finished file of FFmpeg, without checksums, how wide its pixels are.

    Args:
        path: a Matroska or WebM whose first track is the video.
        size: (height, width) of the pictures.
        aspect: width of a pixel over its height.

    Raises:
        ValueError: the file is not laid out as FFmpeg does it.
    """
    with path.open("r+b") as file:
        head = bytearray(file.read(_MOST_HEAD))
        _insert(head, _display_size(size, aspect))
        file.seek(0)
        file.write(head)


def _insert(head: bytearray, shown: tuple[int, int]) -> None:
    segment = next(one for one in _elements(head, 0, len(head)) if one.name == _SEGMENT)
    parts = list(_elements(head, segment.content, len(head)))
    void = next((one for one in parts if one.name == _VOID), None)
    tracks = next((one for one in parts if one.name == _TRACKS), None)
    if void is None or tracks is None or void.start > tracks.start:
        raise ValueError("there is no space for the shape of its pixels")
    longer = _with_display_size(head, tracks, shown)
    growth = len(longer) - (tracks.end - tracks.start)
    left = void.end - void.start - growth - 9
    if left < 0:
        raise ValueError("there is too little space for the shape of its pixels")
    empty = _VOID + _size(left) + bytes(left)
    moved = [one for one in parts if void.end <= one.start <= tracks.start]
    for part in parts:
        if part.name == _SEEK_HEAD:
            _move_seeks(head, part, {one.name for one in moved}, growth)
    between = head[void.end : tracks.start]
    head[void.start : tracks.end] = empty + between + longer


def _display_size(size: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """Whole (height, width) in exactly the shape as shown, near the size of the pictures."""
    shape = Fraction(size[1]) * aspect / size[0]
    times = max(1, round(Fraction(size[0], shape.denominator)))
    return shape.denominator * times, shape.numerator * times


def _with_display_size(head: bytearray, tracks: _Element, shown: tuple[int, int]) -> bytes:
    """The description of the tracks with the size shown in that of the first video."""
    entries, done = b"", False
    for entry in _elements(head, tracks.content, tracks.end):
        content = b""
        for part in _elements(head, entry.content, entry.end):
            raw = bytes(head[part.start : part.end])
            if part.name == _VIDEO and not done:
                kept = [
                    bytes(head[one.start : one.end])
                    for one in _elements(head, part.content, part.end)
                    if one.name != _UNIT  # which FFmpeg says is unknown
                ]
                size = _number(_WIDTH, shown[1]) + _number(_HEIGHT, shown[0])
                raw, done = _element(_VIDEO, b"".join(kept) + size), True
            content += raw
        entries += _element(entry.name, content) if entry.name == _TRACK else b""
    if not done:
        raise ValueError("its tracks have no video")
    return _element(_TRACKS, entries)


def _move_seeks(head: bytearray, seeks: _Element, names: set[bytes], by: int) -> None:
    """Let the table of contents point to where its elements are by now."""
    for seek in _elements(head, seeks.content, seeks.end):
        if seek.name != _SEEK:
            continue
        fields = {one.name: one for one in _elements(head, seek.content, seek.end)}
        name, place = fields[_SEEK_ID], fields[_SEEK_POSITION]
        if bytes(head[name.content : name.end]) in names:
            value = int.from_bytes(head[place.content : place.end]) - by
            head[place.content : place.end] = value.to_bytes(place.end - place.content)


def _elements(data: bytearray, start: int, end: int) -> Iterator[_Element]:
    """The elements in a stretch of a file, up to the first cluster (RFC 8794, section 6)."""
    place = start
    while place < end:
        name_length = 9 - data[place].bit_length()
        name = bytes(data[place : place + name_length])
        at = place + name_length
        length = 9 - data[at].bit_length()
        coded = int.from_bytes(data[at : at + length]) & (1 << 7 * length) - 1
        content = at + length
        if name == _CLUSTER:
            return
        yield _Element(name, place, content, content + coded)
        place = content + coded


def _size(value: int) -> bytes:
    return (value | 1 << 56).to_bytes(8)


def _element(name: bytes, content: bytes) -> bytes:
    return name + (len(content) | 1 << 28).to_bytes(4) + content


def _number(name: bytes, value: int) -> bytes:
    return name + b"\x84" + value.to_bytes(4)
