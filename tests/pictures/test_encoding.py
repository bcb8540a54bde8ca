"""The formats that are written: the same pixels come back, as far as the format can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import torch

from impasto.errors import OutputError
from impasto.pictures.image import Image, open_image
from impasto.pictures.profiles import srgb_profile
from support.picture_files import files_in, sample

EXTENSIONS = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"]


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extension", [".png", ".tif"])
def test_lossless_formats_give_the_same_pixels_again(
    extension: str, bits: int, alpha: bool, tmp_path: Path
) -> None:
    image = sample(bits, alpha)
    path = image.save(tmp_path / f"a{extension}")
    again = open_image(path)
    assert again.bits == bits
    visible = slice(1, None) if alpha else slice(None)  # the first row is wholly transparent
    torch.testing.assert_close(
        again.pixels[:, :, visible], image.pixels[:, :, visible], rtol=0, atol=1e-7
    )
    if alpha:
        assert again.alpha is not None
        assert image.alpha is not None
        torch.testing.assert_close(again.alpha, image.alpha, rtol=0, atol=1e-7)
    else:
        assert again.alpha is None
        assert torch.equal(again.pixels, image.pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_every_value_of_either_depth_survives(bits: int, tmp_path: Path) -> None:
    kind = np.uint8 if bits == 8 else np.uint16
    every = np.arange(2**bits, dtype=kind).reshape(-1, 2 ** (bits // 2), 1).repeat(3, axis=2)
    for name in ("a.png", "a.tif"):
        again = open_image(open_image(every).save(tmp_path / name))
        np.testing.assert_array_equal(again.to_numpy(), every)


@pytest.mark.parametrize("extension", [".jpg", ".jpeg", ".webp"])
@pytest.mark.parametrize("bits", [8, 16])
def test_lossy_formats_are_close(extension: str, bits: int, tmp_path: Path) -> None:
    image = sample(bits)
    again = open_image(image.save(tmp_path / f"a{extension}"))
    assert again.bits == 8
    assert (again.pixels - image.pixels).abs().mean() < 0.01


def test_jpeg_keeps_full_chroma_and_shows_transparency_on_white(tmp_path: Path) -> None:
    image = sample(alpha=True)
    path = image.save(tmp_path / "a.jpg")
    with PIL.Image.open(path) as picture:
        assert all(layer[1:3] == (1, 1) for layer in picture.layer)  # type: ignore[attr-defined]
    assert image.alpha is not None
    expected = image.pixels * image.alpha + 1 - image.alpha
    assert (open_image(path).pixels - expected).abs().mean() < 0.01


def test_webp_keeps_alpha(tmp_path: Path) -> None:
    image = sample(alpha=True)
    again = open_image(image.save(tmp_path / "a.webp"))
    assert again.alpha is not None
    assert image.alpha is not None
    torch.testing.assert_close(again.alpha, image.alpha, rtol=0, atol=1e-7)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("bits", [8, 16])
def test_the_srgb_profile_is_inside(extension: str, bits: int, tmp_path: Path) -> None:
    path = sample(bits).save(tmp_path / f"a{extension}")
    with PIL.Image.open(path) as picture:
        assert picture.info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_same_picture_gives_the_same_bytes(extension: str, tmp_path: Path) -> None:
    first, second = (
        sample(recipe={"seed": 1}).save(tmp_path / f"{name}{extension}") for name in "ab"
    )
    assert first.read_bytes() == second.read_bytes()


def test_what_a_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="JPEG holds 65502; save as PNG"):
        sample(recipe={"notes": "x" * 70_000}).save(tmp_path / "a.jpg")
    wide = Image(torch.zeros(1, 3, 1, 70_000))
    for name, limit in (("a.webp", "16383"), ("a.jpg", "65500")):
        with pytest.raises(OutputError, match=f"70000 x 1 pixels do not fit into .* {limit}"):
            wide.save(tmp_path / name)
    assert files_in(tmp_path) == []
    assert open_image(wide.save(tmp_path / "a.png")).width == 70_000
