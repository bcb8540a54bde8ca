"""A Pillow picture means the same however often it is given, and its file stays where it was."""

from __future__ import annotations

import io
import warnings
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest

from impasto.errors import PictureError, PictureWarning
from impasto.pictures.image import open_image
from impasto.pictures.picture_file import file_of, told_by_file
from support.picture_files import png_chunk

P3 = 12, 13  # primaries and transfer
SRGB = 1, 13
COLOR = (200, 60, 60)


def png(primaries: int, transfer: int) -> bytes:
    data = bytes(imagecodecs.png_encode(np.full((16, 16, 3), COLOR, np.uint8)))
    return data[:33] + png_chunk(b"cICP", bytes([primaries, transfer, 0, 1])) + data[33:]


def avif(primaries: int, transfer: int) -> bytes:
    samples = np.full((16, 16, 3), COLOR, np.uint8)
    return bytes(
        imagecodecs.avif_encode(samples, 100, primaries=primaries, transfer=transfer, matrix=1)
    )


def animated_png(primaries: int, transfer: int) -> bytes:
    stream = io.BytesIO()
    first, second = (PIL.Image.new("RGB", (16, 16), color) for color in (COLOR, (0, 0, 0)))
    first.save(stream, "PNG", save_all=True, append_images=[second])
    data = stream.getvalue()
    return data[:33] + png_chunk(b"cICP", bytes([primaries, transfer, 0, 1])) + data[33:]


@pytest.mark.parametrize("make", [png, animated_png, avif])
def test_a_picture_in_memory_has_the_same_colors_each_time(make: Any) -> None:
    expected = open_image(io.BytesIO(make(*P3))).to_numpy()
    plain = open_image(io.BytesIO(make(*SRGB))).to_numpy()
    assert np.abs(expected.astype(int) - plain).max() > 10
    picture = PIL.Image.open(io.BytesIO(make(*P3)))
    for _ in range(3):
        np.testing.assert_array_equal(open_image(picture).to_numpy(), expected)
        picture.load()


def test_a_picture_without_code_points_stays_without(tmp_path: Any) -> None:
    picture = PIL.Image.open(io.BytesIO(png(*SRGB)))
    first = open_image(picture).to_numpy()
    np.testing.assert_array_equal(open_image(picture).to_numpy(), first)
    path = tmp_path / "a.png"
    path.write_bytes(png(*P3))
    with PIL.Image.open(path) as named:
        before = open_image(named).to_numpy()
        path.write_bytes(png(*SRGB))  # no longer the file that was opened
        np.testing.assert_array_equal(open_image(named).to_numpy(), before)


def jpeg(end: int) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (13, 19, 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()[:end]


def test_the_file_of_a_refused_picture_stays_where_it_was() -> None:
    broken = bytearray(png(*P3))
    broken[-14] ^= 1  # a checksum
    for data in (jpeg(-60), bytes(broken)):
        stream = io.BytesIO(data)
        picture = PIL.Image.open(stream)
        stream.seek(7)
        for _ in range(2):
            with pytest.raises(PictureError, match="damaged"):
                open_image(picture)
            assert stream.tell() == 7
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        picture = PIL.Image.open(io.BytesIO(jpeg(-2)))
        images = [open_image(picture).to_numpy() for _ in range(2)]
    np.testing.assert_array_equal(images[0], images[1])
    assert [warning.category for warning in found] == [PictureWarning] * 2


def test_the_file_stays_where_it_was_if_reading_fails() -> None:
    stream = io.BytesIO(png(*P3))
    picture = PIL.Image.open(stream)
    stream.seek(5)

    def fail(file: Any) -> None:
        assert file.read(4) == b"\x89PNG"
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        told_by_file(picture, "PNG", fail)
    assert stream.tell() == 5
    stream.close()
    with file_of(picture) as file:
        assert file is None
