"""Alpha, and the colours that it hides."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile
from numpy.typing import NDArray

from impasto.pictures.image import open_image
from support.picture_files import HEIGHT, RGB, WIDTH, gradient, pixels, png_chunk


def visible_left(bits: int = 8) -> NDArray[Any]:
    """RGBA: left half green and visible, one column of it half so; right half hidden magenta."""
    highest = 2**bits - 1
    array = np.zeros((16, 32, 4), np.uint8 if bits == 8 else np.uint16)
    array[:, :16] = (0, highest, 0, highest)
    array[:, 15, 3] = highest // 2
    array[:, 16:] = (highest, 0, highest, 0)
    return array


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "deep.png", "deep.tif", "pa.png"])
def test_transparent_pixels_do_not_lend_their_hidden_color(name: str, tmp_path: Path) -> None:
    path, array = tmp_path / name, visible_left(16 if "deep" in name else 8)
    if name == "deep.png":
        path.write_bytes(imagecodecs.png_encode(array))
    elif name == "deep.tif":
        tifffile.imwrite(path, array, photometric="rgb", extrasamples=["unassalpha"])
    elif name == "pa.png":
        array[:, 15, 3] = 255
        palette = PIL.Image.fromarray(array[..., :3]).quantize(2)
        hidden = int(palette.getpixel((31, 0)))  # type: ignore[arg-type]
        palette.save(path, transparency=hidden)
    else:
        PIL.Image.fromarray(array).save(path, lossless=True, exact=True)
    image = open_image(path)
    assert image.alpha is not None
    np.testing.assert_allclose(
        image.alpha[0, 0], array[..., 3] / np.iinfo(array.dtype).max, atol=1e-6
    )
    np.testing.assert_allclose(pixels(image), np.broadcast_to((0, 1, 0), (16, 32, 3)), atol=1e-6)


def test_half_transparent_pixels_keep_their_color_and_all_hidden_is_gray() -> None:
    array = np.full((4, 4, 4), (200, 100, 50, 1), np.uint8)
    array[0, 0, 3] = 0
    image = open_image(array)
    np.testing.assert_allclose(pixels(image)[1, 1], np.array([200, 100, 50]) / 255, atol=1e-6)
    np.testing.assert_allclose(pixels(image)[0, 0], np.array([200, 100, 50]) / 255, atol=1e-6)
    array[..., 3] = 0
    assert pixels(open_image(array))[2, 2].tolist() == [0.5, 0.5, 0.5]


def test_alpha_that_hides_nothing_is_dropped() -> None:
    assert open_image(gradient(8, 3)).alpha is None
    array = np.dstack([RGB, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    assert open_image(array).alpha is None


@pytest.mark.parametrize("bits", [8, 16])
def test_gray_with_alpha_and_color_keys(bits: int, tmp_path: Path) -> None:
    array = gradient(bits, 2)
    (tmp_path / "la.png").write_bytes(imagecodecs.png_encode(array))
    image = open_image(tmp_path / "la.png")
    highest = 2**bits - 1
    assert image.alpha is not None
    np.testing.assert_allclose(image.alpha[0, 0], array[..., 1] / highest, atol=1e-6)
    visible = array[..., 1] > 0
    np.testing.assert_allclose(
        pixels(image)[visible], np.repeat(array[..., :1] / highest, 3, 2)[visible], atol=1e-6
    )
    # A colour key (tRNS) names one colour that is transparent.
    data = imagecodecs.png_encode(gradient(bits))
    key = struct.pack(">3H", *(int(v) for v in gradient(bits)[3, 5]))
    (tmp_path / "key.png").write_bytes(data[:33] + png_chunk(b"tRNS", key) + data[33:])
    alpha = open_image(tmp_path / "key.png").alpha
    assert alpha is not None
    assert alpha[0, 0, 3, 5] == 0
    assert alpha.sum() == WIDTH * HEIGHT - 1
