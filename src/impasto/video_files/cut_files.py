"""Whether a film's file ends before its own lengths say, which FFmpeg passes over in silence."""

from __future__ import annotations

from pathlib import Path
from typing import IO

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_MOST_HEAD = 4096


def is_cut_short(path: Path) -> bool:
    """Whether a Matroska or WebM, an MP4 or MOV, or an AVI lacks its end; False for others."""
    with path.open("rb") as file:
        head = file.read(_MOST_HEAD)
        size = file.seek(0, 2)
        if head.startswith(_EBML):
            return _segment_end(head) > size
        if head.startswith(b"RIFF"):
            return int.from_bytes(head[4:8], "little") + 8 > size
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _boxes_end(file, size) > size
    return False


def _segment_end(head: bytes) -> int:
    """Where the segment of a Matroska ends (RFC 8794, section 4); 0 where it does not say."""
    place = head.find(_SEGMENT)
    if place < 0 or len(head) < place + 12:
        return 0
    first = head[place + 4]
    length = 9 - first.bit_length()  # the leading zeros say how many bytes the number has
    coded = int.from_bytes(head[place + 4 : place + 4 + length]) & (1 << 7 * length) - 1
    unknown = coded == (1 << 7 * length) - 1
    return 0 if unknown or first == 0 else place + 4 + length + coded


def _boxes_end(file: IO[bytes], size: int) -> int:
    """Where the last box of an MP4 ends (ISO/IEC 14496-12, 4.2)."""
    place = 0
    while place < size:
        file.seek(place)
        header = file.read(16)
        length = int.from_bytes(header[:4])
        if length == 1:
            length = int.from_bytes(header[8:16])
        if length == 0:  # to the end of the file
            return size
        if length < 8 or not header[4:8].isascii():
            return place  # no box: some programs leave zeros at the end
        place += length
    return place
