"""Colour profiles, inks and Lab: everything becomes sRGB."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import ImageCms

from impasto.pictures.image import open_image
from impasto.pictures.profiles import srgb_profile
from support.picture_files import RGB, adobe_rgb, pixels, png_chunk, run_python


def adobe_rgb_to_srgb(encoded: NDArray[Any]) -> NDArray[Any]:
    """The textbook way: gamma 2.19921875, both spaces' D65 primaries, the sRGB curve."""
    adobe = np.array(
        [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
    )
    srgb = np.array(
        [[3.24097, -1.53738, -0.49861], [-0.96924, 1.87597, 0.04156], [0.05563, -0.20398, 1.05697]]
    )
    linear = (np.asarray(encoded) ** 2.19921875) @ (srgb @ adobe).T
    linear = linear.clip(0, 1)
    result: NDArray[Any] = np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return result


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "deep.png", "deep.tif"])
def test_a_wide_gamut_profile_is_converted(name: str, tmp_path: Path) -> None:
    color = np.array([0.4, 0.6, 0.3])
    path = tmp_path / name
    deep = np.broadcast_to(np.rint(color * 65535), (16, 16, 3)).astype(np.uint16).copy()
    if name == "deep.png":
        data = imagecodecs.png_encode(deep)
        profile = png_chunk(b"iCCP", b"x\0\0" + zlib.compress(adobe_rgb()))
        path.write_bytes(data[:33] + profile + data[33:])
    elif name == "deep.tif":
        tifffile.imwrite(path, deep, photometric="rgb", iccprofile=adobe_rgb())
    else:
        picture = PIL.Image.fromarray((deep // 257).astype(np.uint8))
        picture.save(path, icc_profile=adobe_rgb(), quality=100)
    tolerance = 0.0005 if "deep" in name else 0.008
    result = pixels(open_image(path))[8, 8]
    np.testing.assert_allclose(result, adobe_rgb_to_srgb(color), atol=tolerance)
    assert np.abs(result - color).max() > 0.05


def test_a_profile_of_srgb_itself_changes_nothing(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    PIL.Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(open_image(tmp_path / "a.png").to_numpy(), RGB)


def test_gray_profiles_and_gray_pictures_with_color_profiles(tmp_path: Path) -> None:
    linear = imagecodecs.cms_profile("gray", gamma=1.0)
    PIL.Image.new("L", (8, 8), 128).save(tmp_path / "linear.png", icc_profile=linear)
    PIL.Image.new("L", (8, 8), 128).save(tmp_path / "rgb.png", icc_profile=adobe_rgb())
    srgb_of_half = 1.055 * (128 / 255) ** (1 / 2.4) - 0.055
    assert pixels(open_image(tmp_path / "linear.png"))[0, 0] == pytest.approx(
        srgb_of_half, abs=3e-3
    )
    neutral = pixels(open_image(tmp_path / "rgb.png"))[0, 0]
    expected = adobe_rgb_to_srgb(np.full(3, 128 / 255))
    np.testing.assert_allclose(neutral, expected, atol=3e-3)


def odd_ink_profile() -> bytes:
    """An ICC profile of four inks whose cyan is red in truth: white, red, white, white, black."""
    nodes = []
    for corner in range(16):
        cyan, black = corner & 8, corner & 1
        lab = (0, 128, 128) if black else (128, 208, 195) if cyan else (255, 128, 128)
        nodes.append(bytes(lab))
    identity = b"".join(struct.pack(">i", 65536 * (i % 4 == 0)) for i in range(9))
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + b"".join(nodes)
    table += ramp * 3
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    start = 128 + 4 + 2 * 12
    tags = struct.pack(">I", 2) + b"A2B0" + struct.pack(">2I", start + len(white), len(table))
    tags += b"wtpt" + struct.pack(">2I", start, len(white))
    body = tags + white + table
    header = struct.pack(
        ">I4sI4s4s4s", 128 + len(body), b"lcms", 0x02100000, b"prtr", b"CMYK", b"Lab "
    )
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + body


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "deep.tif"])
def test_inks_are_converted_by_their_profile(name: str, tmp_path: Path) -> None:
    cyan = np.zeros((16, 16, 4), np.uint8)
    cyan[..., 0] = 255
    profile = odd_ink_profile()
    path = tmp_path / name
    if name == "deep.tif":
        tifffile.imwrite(
            path, cyan.astype(np.uint16) * 257, photometric="separated", iccprofile=profile
        )
    else:
        picture = PIL.Image.frombytes("CMYK", (16, 16), cyan.tobytes())
        picture.save(path, icc_profile=profile)
    red, green, blue = pixels(open_image(path))[8, 8]
    assert red > 0.7
    assert green < 0.3
    assert blue < 0.3


@pytest.mark.parametrize("name", ["a.tif", "deep.tif", "object"])
def test_lab_becomes_srgb(name: str, tmp_path: Path) -> None:
    # sRGB's pure red is L 54.3, a 80.8, b 69.9 under D50.
    lab = ImageCms.profileToProfile(
        PIL.Image.new("RGB", (8, 8), (200, 60, 90)),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    source: Any = lab
    if name == "a.tif":
        source = tmp_path / name
        lab.save(source)
    elif name == "deep.tif":
        source = tmp_path / name
        lightness, a, b = (int(v) for v in lab.getpixel((0, 0)))  # type: ignore[union-attr]
        samples = np.zeros((8, 8, 3), np.uint16)
        samples[..., 0] = lightness * 257
        samples[..., 1] = np.uint16((a - 128) * 256 & 0xFFFF)
        samples[..., 2] = np.uint16((b - 128) * 256 & 0xFFFF)
        tifffile.imwrite(source, samples, photometric="cielab")
    np.testing.assert_allclose(
        pixels(open_image(source))[4, 4], np.array([200, 60, 90]) / 255, atol=0.012
    )


@pytest.mark.parametrize("profile", [b"nonsense" * 20, odd_ink_profile(), adobe_rgb()[:300]])
def test_a_profile_that_cannot_be_used_is_ignored_with_a_warning(
    profile: bytes, tmp_path: Path
) -> None:
    PIL.Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=profile)
    with pytest.warns(UserWarning, match="ICC profile of a rgb picture .* ignored"):
        image = open_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.to_numpy(), RGB)


def test_the_profile_is_the_same_in_every_process() -> None:
    code = "import sys; from impasto.pictures.profiles import srgb_profile as s"
    assert run_python(f"{code}; sys.stdout.buffer.write(s())").stdout == srgb_profile()
