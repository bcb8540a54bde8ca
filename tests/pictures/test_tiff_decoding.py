"""TIFF: depths, layouts and compressions, and files that take more memory than they say."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile
from numpy.typing import NDArray

from impasto.errors import PictureError
from impasto.pictures.image import open_image
from support.picture_files import GRAY, RGB, assert_exact, deep_tiff, gradient, pixels

EXACT: dict[str, tuple[Callable[[Path], object], NDArray[Any]]] = {
    "rgb.tif": (lambda p: PIL.Image.fromarray(RGB).save(p), RGB / 255),
    "bilevel.tif": (
        lambda p: PIL.Image.fromarray(GRAY > 99).save(p, compression="group4"),
        (GRAY > 99)[..., None] * 1.0,
    ),
    "cmyk.tif": (
        lambda p: PIL.Image.fromarray(RGB).convert("CMYK").save(p),
        RGB / 255,  # without a profile, and with no black ink, ink is what RGB lacks
    ),
}


for _compression in (None, "lzw", "zlib", "packbits"):
    for _planar in ("contig", "separate"):
        EXACT[f"rgb16-{_compression}-{_planar}.tif"] = (
            deep_tiff(
                gradient(16) if _planar == "contig" else gradient(16).transpose(2, 0, 1),
                photometric="rgb",
                planarconfig=_planar,
                compression=_compression,
                byteorder=">",
            ),
            gradient(16) / 65535,
        )


for _name, _samples, _photometric in (
    ("gray16", gradient(16, 1)[..., 0], "minisblack"),
    ("gray32", gradient(16, 1)[..., 0].astype(np.uint32) * 65537, "minisblack"),
    ("gray16-inverted", 65535 - gradient(16, 1)[..., 0], "miniswhite"),
    ("gray-float", (gradient(16, 1)[..., 0] / 65535).astype(np.float32), "minisblack"),
    ("gray-float-inverted", (1 - gradient(16, 1)[..., 0] / 65535).astype(np.float32), "miniswhite"),
    ("gray-float64", gradient(16, 1)[..., 0] / 65535, "minisblack"),
):
    EXACT[f"{_name}.tif"] = (deep_tiff(_samples, photometric=_photometric), gradient(16, 1) / 65535)


EXACT["cmyk16.tif"] = (
    lambda p: tifffile.imwrite(
        p,
        np.concatenate([65535 - gradient(16), np.zeros_like(gradient(16, 1))], 2),
        photometric="separated",
    ),
    gradient(16) / 65535,
)


@pytest.mark.parametrize("name", EXACT)
def test_lossless_tiffs_come_in_exactly(name: str, tmp_path: Path) -> None:
    write, expected = EXACT[name]
    write(tmp_path / name)
    assert_exact(tmp_path / name, expected)


def test_premultiplied_tiff_is_unmultiplied(tmp_path: Path) -> None:
    array = np.full((4, 4, 4), (10000, 20000, 30000, 32768), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["assocalpha"])
    image = open_image(tmp_path / "a.tif")
    np.testing.assert_allclose(
        pixels(image)[0, 0], np.array([10000, 20000, 30000]) / 32768, atol=1e-4
    )


BOMBS: dict[str, tuple[Callable[[Path], object], str]] = {
    "many samples": (
        deep_tiff(np.zeros((400, 400, 120), np.uint8), photometric="rgb", compression="zlib"),
        "120 samples per pixel is no picture .at most 5",
    ),
    "many separate samples": (
        deep_tiff(
            np.zeros((50, 400, 400), np.uint8),
            photometric="minisblack",
            planarconfig="separate",
            compression="zlib",
        ),
        "50 samples per pixel",
    ),
    "many layers": (
        deep_tiff(
            np.zeros((32, 256, 256), np.uint8),
            photometric="minisblack",
            volumetric=True,
            tile=(32, 256, 256),
            compression="zlib",
        ),
        "a TIFF volume of 32 layers is no picture",
    ),
    "large tile": (
        deep_tiff(
            np.zeros((40, 40, 3), np.uint8), photometric="rgb", tile=(2048, 2048), compression="lzw"
        ),
        "decoded it takes 12582912 bytes.* allows 3200000; raise it with --max-pixels 786432",
    ),
    "large samples": (
        deep_tiff(np.zeros((420, 470, 3)), photometric="rgb", compression="zlib"),
        "decoded it takes 4737600 bytes.* allows 3200000; raise it with --max-pixels 296100",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_tiff_of_few_pixels_that_takes_much_memory_is_refused(name: str, tmp_path: Path) -> None:
    write, message = BOMBS[name]
    path = tmp_path / "bomb.tif"
    write(path)
    assert path.stat().st_size < 150_000
    tracemalloc.start()
    try:
        with pytest.raises(PictureError, match=message):
            open_image(path, max_pixels=200_000)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    if name.startswith("large"):
        enough = int(message.rpartition(" ")[2])
        assert open_image(path, max_pixels=enough).pixels.max() == 0


def test_a_jpeg_in_tiff_must_have_the_size_that_the_tiff_says(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    smooth = np.kron(RGB, np.ones((8, 8, 1), np.uint8))
    options = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 95}}
    tifffile.imwrite(path, smooth, **options)  # type: ignore[arg-type]
    np.testing.assert_allclose(pixels(open_image(path)), smooth / 255, atol=0.06)
    with tifffile.TiffFile(path, mode="r+") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages.first.tags[tag].overwrite(16)
    with pytest.raises(PictureError):
        open_image(path, max_pixels=1000)
