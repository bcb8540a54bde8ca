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
    GRAY,
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
        picture = PIL.Image.fromarray(deep.astype(np.int32 if mode == "I" else np.float32))
    else:
        picture = PIL.Image.fromarray(RGB).convert(mode)
        expected = np.asarray(picture.convert("RGB")) / 255
    image = open_image(picture)
    assert image.bits == (16 if mode[0] in "IF" else 8)
    np.testing.assert_allclose(pixels(image), expected, atol=1e-5)


@pytest.mark.parametrize("scale", [1, 255, 65535])
def test_float_pillow_pictures_are_scaled_by_their_range(scale: int) -> None:
    picture = PIL.Image.fromarray((gradient(16, 1)[..., 0] / 65535 * scale).astype(np.float32))
    np.testing.assert_allclose(pixels(open_image(picture))[0, :, 0], RGB[0, :, 0] / 255, atol=3e-3)


def test_a_pillow_picture_keeps_its_profile_and_orientation(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[274] = 6
    PIL.Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=adobe_rgb(), exif=exif)
    with PIL.Image.open(tmp_path / "a.png") as picture:
        from_object = open_image(picture)
    assert torch.equal(from_object.pixels, open_image(tmp_path / "a.png").pixels)
    assert (from_object.width, from_object.height) == (HEIGHT, WIDTH)


def test_arrays_and_tensors() -> None:
    floats = RGB / 255
    tensor = torch.from_numpy(floats).permute(2, 0, 1)
    same: list[Any] = [
        RGB,
        floats,
        floats.astype(np.float32),
        RGB[::-1][::-1],  # not contiguous
        tensor,
        tensor[None].float(),
        torch.from_numpy(RGB).permute(2, 0, 1),
        tensor.clone().requires_grad_(),
    ]
    for source in same:
        image = open_image(source)
        assert image.bits == 8
        assert not image.pixels.requires_grad
        np.testing.assert_array_equal(image.to_numpy(), RGB)
    assert open_image(gradient(16)).bits == 16
    np.testing.assert_array_equal(open_image(gradient(16)).to_numpy(), gradient(16))
    for gray in (
        GRAY,
        GRAY[..., None],
        torch.from_numpy(GRAY)[None],
        torch.from_numpy(GRAY)[None, None],
    ):
        np.testing.assert_array_equal(open_image(gray).to_numpy(), np.repeat(GRAY[..., None], 3, 2))
    rgba = open_image(torch.rand(4, 5, 6))
    assert rgba.alpha is not None
    assert tuple(rgba.alpha.shape) == (1, 1, 5, 6)
    image = open_image(RGB)
    assert open_image(image) is image


def test_an_opened_array_is_a_copy() -> None:
    tensor = torch.full((1, 3, 4, 4), 0.25)
    array = np.full((4, 4, 3), 0.25, np.float32)
    images = [open_image(tensor), open_image(array)]
    tensor.zero_()
    array[:] = 0
    images[0].to_tensor().zero_()
    assert all(float(image.pixels.min()) == 0.25 for image in images)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((3, 4, 5), np.uint8), r"shape \(3, 4, 5\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.int64), "int64.*uint8, uint16 or floats"),
        (np.full((4, 4, 3), 200.0), "from 200 to 200.*divide"),
        (np.full((4, 4, 3), np.nan), "from nan to nan"),
        (np.full((4, 4, 3), -0.5), "from -0.5"),
        (torch.zeros(2, 3, 4, 4), r"shape \(2, 3, 4, 4\)"),
        (torch.zeros(5, 4, 3), r"shape \(5, 4, 3\).*\(C, H, W\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int32), "int32"),
        (torch.full((3, 4, 4), float("nan")), "from nan"),
        (torch.full((3, 4, 4), float("inf")), "inf"),
        (PIL.Image.fromarray(np.full((4, 4), np.nan, np.float32)), "from nan"),
        (PIL.Image.fromarray(np.full((4, 4), -1, np.int32)), "from -1"),
        (PIL.Image.new("RGB", (0, 4)), "empty"),
        (17, "int is no picture"),
        (None, "NoneType is no picture"),
    ],
)
def test_objects_that_are_no_pictures(source: Any, message: str) -> None:
    with pytest.raises(PictureError, match=message) as caught:
        open_image(source)
    assert "\n" not in str(caught.value)


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
