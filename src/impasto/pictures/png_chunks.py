"""PNG files: the one rule of what may be damaged in them, for every chunk and every depth.

The checksum of every chunk must be right. The chunk IEND, which says nothing, may be missing, and
what stands between the pixels and it may be cut off. What follows after IEND is not looked at.

Decoders differ here, and some pass over a wrong checksum of chunks that are not critical. But those
hold transparency, colours and which way is up: without them the picture is another.
"""

from __future__ import annotations

import io
import zlib
from typing import IO

from impasto.errors import PictureError

_SIGNATURE = 8  # bytes
_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_BLOCK = 2**20


def checked_png(stream: IO[bytes], name: str) -> IO[bytes]:
    """A PNG with all of its chunks, after their checksums were compared.

    Args:
        stream: the file.
        name: how messages name it.

    Returns:
        The stream, or another with IEND where that is missing.

    Raises:
        PictureError: a checksum is wrong, or the file ends within its first pixels or before.
    """
    stream.seek(_SIGNATURE)
    pixels_came = False
    while True:
        start = stream.tell()
        kind = _check_chunk(stream, name)
        if kind == b"IEND":
            break
        if kind is None and pixels_came:
            # Whether there were enough of them, the decoders tell.
            stream.seek(0)
            return io.BytesIO(stream.read(start) + _END)
        if kind is None:
            raise PictureError(f"{name}: the PNG is cut short, before or within its pixels")
        pixels_came = pixels_came or kind == b"IDAT"
    stream.seek(0)
    return stream


def _check_chunk(stream: IO[bytes], name: str) -> bytes | None:
    """The kind of the next chunk; None where the file ends before the chunk does."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    length, kind = int.from_bytes(head[:4]), head[4:]
    checksum = zlib.crc32(kind)
    while length:
        block = stream.read(min(length, _BLOCK))
        if not block:
            return None
        checksum = zlib.crc32(block, checksum)
        length -= len(block)
    stored = stream.read(4)
    if len(stored) < 4:
        return None
    if int.from_bytes(stored) != checksum:
        raise PictureError(
            f"{name}: damaged: the checksum of a chunk {kind.decode('ascii', 'replace')!r} is "
            "wrong; if another program shows the picture as it should be, save it anew there"
        )
    return kind
