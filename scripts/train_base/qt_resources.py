"""Qt's resource files (``.rcc``), in which programs made with Qt keep their pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import imagecodecs

_MAGIC = b"qres"
_ZLIB, _FOLDER, _ZSTD = 1, 2, 4


def resource_files(data: bytes) -> dict[str, bytes]:
    """The files within a resource file, by their paths without a slash in front.

    The form is that which ``qtbase/src/corelib/io/qresource.cpp`` reads: a header with the places
    of a tree, of the contents and of the names, all numbers with the high byte first.

    Args:
        data: the file's bytes.

    Raises:
        ValueError: it is no resource file.
    """
    if data[:4] != _MAGIC:
        raise ValueError("is no resource file of Qt: it does not begin with 'qres'")
    version, tree, contents, names = struct.unpack_from(">4I", data, 4)
    entry = 14 if version < 2 else 22  # since version 2 with the time of the last change

    def name_at(place: int) -> str:
        (length,) = struct.unpack_from(">H", data, names + place)
        begin = names + place + 6  # behind the length and a hash of the name
        return data[begin : begin + 2 * length].decode("utf-16-be")

    def walk(number: int, path: str) -> Iterator[tuple[str, bytes]]:
        name, flags, first, second = struct.unpack_from(">IHII", data, tree + number * entry)
        if number:
            path = f"{path}/{name_at(name)}"
        if flags & _FOLDER:  # how many are in it, and the number of the first
            for child in range(second, second + first):
                yield from walk(child, path)
        else:
            begin = contents + second
            (length,) = struct.unpack_from(">I", data, begin)
            yield path.lstrip("/"), _unpacked(data[begin + 4 : begin + 4 + length], flags)

    return dict(walk(0, ""))


def _unpacked(data: bytes, flags: int) -> bytes:
    if flags & _ZLIB:
        return zlib.decompress(data[4:])  # the first four bytes say how long it becomes
    if flags & _ZSTD:
        return bytes(imagecodecs.zstd_decode(data))
    return data
