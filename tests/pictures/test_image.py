"""Image, and the objects that become one: Pillow pictures, arrays and tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import torch

from impasto.errors import OutputError, PictureError
from impasto.pictures.image import Image, open_image
from support.picture_files import (
    HEIGHT,
    RGB,
    WIDTH,
    adobe_rgb,
    files_in,
    gradient,
    pixels,
    sample,
)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX"])
def test_pillow_modes_match_pillows_own_conversion(mode: str) -> None:
    array = np.dstack([RGB, gradient(8, 4)[..., 3]])
    picture = PIL.Image.fromarray(array)
    for step in {"La": ["LA"], "PA": ["P"], "RGBX": ["RGB"], "P": ["RGB"]}.get(mode, []):
        picture = picture.convert(step)
    picture = picture.convert(mode)
    image = open_image(picture)
    straight = picture.convert("LA") if mode == "La" else picture
    expected = np.asarray(straight.convert("RGBA")) / 255
    if image.alpha is None:
        assert (expected[..., 3] == 1).all()
    else:
        np.testing.assert_allclose(image.alpha[0, 0], expected[..., 3], atol=1e-6)
    np.testing.assert_allclose(pixels(image), expected[..., :3], atol=1e-6)


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "CMYK", "I;16", "I;16B", "I", "F"])
def test_pillow_modes_without_alpha(mode: str) -> None:
    deep = gradient(16, 1)[..., 0]
    expected = np.repeat(deep[..., None], 3, 2) / 65535
    if mode in ("I;16", "I;16B"):
        data = deep.astype(">u2" if mode == "I;16B" else "<u2").tobytes()
        picture = PIL.Image.frombytes(mode, (WIDTH, HEIGHT), data)
    elif mode in ("I", "F"):
        scaled = deep.astype(np.int32) if mode == "I" else (deep / 65535).astype(np.float32)
        picture = PIL.Image.fromarray(scaled)
    else:
        picture = PIL.Image.fromarray(RGB).convert(mode)
        expected = np.asarray(picture.convert("RGB")) / 255
    image = open_image(picture)
    assert image.bits == (16 if mode[0] in "IF" else 8)
    np.testing.assert_allclose(pixels(image), expected, atol=1e-5)


def test_a_pillow_picture_keeps_its_profile_and_orientation(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[274] = 6
    PIL.Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=adobe_rgb(), exif=exif)
    with PIL.Image.open(tmp_path / "a.png") as picture:
        from_object = open_image(picture)
    assert torch.equal(from_object.pixels, open_image(tmp_path / "a.png").pixels)
    assert (from_object.width, from_object.height) == (HEIGHT, WIDTH)


def test_an_image_is_opened_already() -> None:
    image = open_image(RGB)
    assert open_image(image) is image


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (PIL.Image.new("RGB", (0, 4)), "empty"),
        (17, "int is no picture"),
        (None, "NoneType is no picture"),
    ],
)
def test_objects_that_are_no_pictures(source: Any, message: str) -> None:
    with pytest.raises(PictureError, match=message) as caught:
        open_image(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 255.0, -1.0])
def test_an_image_beyond_its_range_is_no_picture(value: float) -> None:
    image = sample()
    image.pixels[0, 1, 2, 3] = value
    with pytest.raises(PictureError, match=r"Image: .*samples"):
        open_image(image)


def test_an_image_slightly_beyond_its_range_is_clamped() -> None:
    image = sample(alpha=True, recipe={"size": 9})
    assert image.alpha is not None
    image.pixels[0, 0, 0, :2] = torch.tensor([-0.1, 1.1])
    image.alpha[0, 0, 0, 0] = 1.125
    opened = open_image(image)
    assert opened.alpha is not None
    assert torch.equal(opened.pixels, image.pixels.clamp(0, 1))
    assert torch.equal(opened.alpha, image.alpha.clamp(0, 1))
    assert (opened.bits, opened.recipe) == (image.bits, image.recipe)
    assert image.pixels[0, 0, 0, 1] == pytest.approx(1.1)  # the caller's own
    assert open_image(opened) is opened


def test_an_image_holds_only_what_it_says() -> None:
    good = torch.zeros(1, 3, 4, 5)
    bad: list[tuple[Any, ...]] = [
        (torch.zeros(3, 4, 5),),
        (good.double(),),
        (good, torch.zeros(1, 1, 5, 4)),
        (good, None, 12),
    ]
    for arguments in bad:
        with pytest.raises(PictureError):
            Image(*arguments)
    assert repr(Image(good, torch.ones(1, 1, 4, 5), 16)) == "Image(5 x 4, 16 bits, alpha)"


def test_values_are_rounded_and_clamped_not_cut() -> None:
    values = torch.tensor([-0.2, 0.499 / 255, 0.501 / 255, 254.4 / 255, 254.6 / 255, 1.3])
    image = Image(values.expand(1, 3, 1, 6).contiguous())
    assert image.to_numpy()[0, :, 0].tolist() == [0, 0, 1, 254, 255, 255]


def test_conversions() -> None:
    image = sample(16, alpha=True)
    assert image.to_numpy().shape == (48, 64, 4)
    assert image.to_numpy().dtype == np.uint16
    assert sample().to_numpy().shape == (48, 64, 3)
    assert sample().to_numpy().dtype == np.uint8
    assert image.to_pil().mode == "RGBA"
    assert sample().to_pil().mode == "RGB"
    assert image.to_pil().size == (64, 48)
    assert torch.equal(image.to_tensor(), image.pixels)
    assert torch.equal(open_image(sample().to_pil()).pixels, sample().pixels)
    assert torch.equal(open_image(image.to_tensor()).pixels, image.pixels)
    png = sample()._repr_png_()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_nan_picture_is_never_written(value: float, tmp_path: Path) -> None:
    image = sample()
    image.pixels[0, 1, 2, 3] = value
    with pytest.raises(OutputError, match="NaN or infinite"):
        image.save(tmp_path / "a.png")
    for convert in (image.to_numpy, image.to_pil, image._repr_png_):
        with pytest.raises(OutputError, match="NaN or infinite"):
            convert()
    assert files_in(tmp_path) == []
