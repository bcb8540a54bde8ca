"""Every kind of picture that can come in, and what it must look like inside."""

import contextlib
import io
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import ImageCms

from impasto.errors import MissingExtraError, PictureError
from impasto.pictures.image import Image, open_image

WIDTH, HEIGHT = 40, 24


def gradient(bits: int = 8, channels: int = 3) -> NDArray[Any]:
    """(24, 40, channels), smooth, different in every channel and direction."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    red, green = columns / (WIDTH - 1), rows / (HEIGHT - 1)
    planes = [red, green, (1 - red) * green, 0.25 + 0.75 * red][:channels]
    kind = np.uint8 if bits == 8 else np.uint16
    array: NDArray[Any] = np.rint(np.stack(planes, -1) * (2**bits - 1)).astype(kind)
    return array


def pixels(image: Image) -> NDArray[np.float32]:
    """(H, W, 3) floats of an Image."""
    array: NDArray[np.float32] = image.pixels[0].permute(1, 2, 0).numpy()
    return array


RGB = gradient()
GRAY = RGB[..., 0]


def saved(path: Path, picture: PIL.Image.Image, **options: Any) -> Path:
    picture.save(path, **options)
    return path


# Files whose every sample must come out exactly: file name, how to write it, what it must be.
EXACT: dict[str, tuple[Callable[[Path], object], NDArray[Any]]] = {
    "rgb.png": (lambda p: PIL.Image.fromarray(RGB).save(p), RGB / 255),
    "rgb.bmp": (lambda p: PIL.Image.fromarray(RGB).save(p), RGB / 255),
    "rgb.tif": (lambda p: PIL.Image.fromarray(RGB).save(p), RGB / 255),
    "rgb.webp": (lambda p: PIL.Image.fromarray(RGB).save(p, lossless=True), RGB / 255),
    "gray.png": (lambda p: PIL.Image.fromarray(GRAY).save(p), GRAY[..., None] / 255),
    "gray.gif": (lambda p: PIL.Image.fromarray(GRAY).save(p), GRAY[..., None] / 255),
    "bilevel.png": (lambda p: PIL.Image.fromarray(GRAY > 99).save(p), (GRAY > 99)[..., None] * 1.0),
    "bilevel.tif": (
        lambda p: PIL.Image.fromarray(GRAY > 99).save(p, compression="group4"),
        (GRAY > 99)[..., None] * 1.0,
    ),
    "palette.png": (
        lambda p: PIL.Image.fromarray(RGB).quantize(16).save(p),
        np.asarray(PIL.Image.fromarray(RGB).quantize(16).convert("RGB")) / 255,
    ),
    "palette.bmp": (
        lambda p: PIL.Image.fromarray(RGB).quantize(16).save(p),
        np.asarray(PIL.Image.fromarray(RGB).quantize(16).convert("RGB")) / 255,
    ),
    "gray16.png": (
        lambda p: PIL.Image.fromarray(gradient(16, 1)[..., 0]).save(p),
        gradient(16, 1) / 65535,
    ),
    "rgb16.png": (
        lambda p: p.write_bytes(imagecodecs.png_encode(gradient(16))),
        gradient(16) / 65535,
    ),
    "cmyk.tif": (
        lambda p: PIL.Image.fromarray(RGB).convert("CMYK").save(p),
        RGB / 255,  # without a profile, and with no black ink, ink is what RGB lacks
    ),
}


def deep_tiff(samples: NDArray[Any], **options: Any) -> Callable[[Path], object]:
    return lambda path: tifffile.imwrite(path, samples, **options)


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
    ("gray-float255", (gradient(16, 1)[..., 0] / 257).astype(np.float32), "minisblack"),
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
def test_lossless_kinds_come_in_exactly(name: str, tmp_path: Path) -> None:
    write, expected = EXACT[name]
    write(tmp_path / name)
    image = open_image(tmp_path / name)
    assert image.pixels.dtype == torch.float32
    assert tuple(image.pixels.shape) == (1, 3, HEIGHT, WIDTH)
    assert (image.width, image.height) == (WIDTH, HEIGHT)
    assert image.alpha is None
    deep = any(mark in name for mark in ("16", "32", "float"))
    assert image.bits == (16 if deep else 8)
    tolerance = 0.6 / 65535 if deep else 1e-7
    np.testing.assert_allclose(
        pixels(image), np.broadcast_to(expected, (HEIGHT, WIDTH, 3)), rtol=0, atol=tolerance
    )


@pytest.mark.parametrize("name", ["photo.jpg", "photo.webp", "photo.avif", "photo.heic"])
def test_lossy_kinds_come_in_closely(name: str, tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(RGB).resize((160, 96), PIL.Image.Resampling.BILINEAR)
    if name.endswith("heic"):
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_pillow(picture).save(tmp_path / name, quality=95)
    else:
        picture.save(tmp_path / name, quality=95)
    image = open_image(tmp_path / name)
    assert np.abs(pixels(image) - np.asarray(picture) / 255).mean() < 0.02


def test_gray_jpeg_and_cmyk_jpeg(tmp_path: Path) -> None:
    PIL.Image.fromarray(GRAY).save(tmp_path / "gray.jpg", quality=95)
    PIL.Image.fromarray(RGB).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    gray, cmyk = open_image(tmp_path / "gray.jpg"), open_image(tmp_path / "cmyk.jpg")
    assert np.abs(pixels(gray) - GRAY[..., None] / 255).max() < 0.03
    assert np.abs(pixels(cmyk) - RGB / 255).mean() < 0.03


def test_of_an_animation_the_first_frame_comes_in(tmp_path: Path) -> None:
    frames = [PIL.Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    for name in ("a.gif", "a.png", "a.webp"):
        options: dict[str, Any] = {"lossless": True} if name == "a.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        assert pixels(open_image(tmp_path / name))[4, 4].tolist() == [1, 0, 0]


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (1, 1)])
def test_a_single_row_or_column_comes_in(size: tuple[int, int], tmp_path: Path) -> None:
    PIL.Image.new("RGBA", size, (255, 0, 0, 0)).save(tmp_path / "line.png")
    image = open_image(tmp_path / "line.png")
    assert (image.width, image.height) == size


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "deep.png", "deep.tif"])
def test_exif_orientation_is_applied(name: str, orientation: int, tmp_path: Path) -> None:
    # Upright: red above left, green above right, blue below left; the rest black.
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :16, 0] = upright[:16, 32:, 1] = upright[16:, :16, 2] = 255
    # What a camera stores is the inverse of what a viewer must do (Exif 3.0, tag 274).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    stored = np.ascontiguousarray(stored)
    path = tmp_path / name
    exif = PIL.Image.Exif()
    exif[274] = orientation
    if name == "deep.tif":
        tags = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(path, stored.astype(np.uint16) * 257, photometric="rgb", extratags=tags)
    elif name == "deep.png":
        data = imagecodecs.png_encode(stored.astype(np.uint16) * 257)
        path.write_bytes(data[:33] + png_chunk(b"eXIf", exif.tobytes()[6:]) + data[33:])
    else:
        PIL.Image.fromarray(stored).save(path, exif=exif, quality=95)
    image = open_image(path)
    assert image.bits == (16 if "deep" in name else 8)
    assert pixels(image).shape == upright.shape
    assert np.abs(pixels(image) - upright / 255).mean() < 0.03


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_exif_does_not_lose_the_picture(tmp_path: Path) -> None:
    PIL.Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert open_image(tmp_path / "a.jpg").width == WIDTH


# --- colour profiles ---


def adobe_rgb() -> bytes:
    return bytes(imagecodecs.cms_profile("adobergb"))


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
        source = saved(tmp_path / name, lab)
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


# --- transparency ---


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


def test_premultiplied_tiff_is_unmultiplied(tmp_path: Path) -> None:
    array = np.full((4, 4, 4), (10000, 20000, 30000, 32768), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["assocalpha"])
    image = open_image(tmp_path / "a.tif")
    np.testing.assert_allclose(
        pixels(image)[0, 0], np.array([10000, 20000, 30000]) / 32768, atol=1e-4
    )


# --- objects ---


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


# --- streams, threads, bad input ---


def test_binary_streams_and_standard_input(tmp_path: Path) -> None:
    PIL.Image.fromarray(RGB).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    stream = io.BytesIO(data)
    np.testing.assert_array_equal(open_image(stream).to_numpy(), RGB)
    assert not stream.closed
    with (tmp_path / "a.png").open("rb") as file:
        np.testing.assert_array_equal(open_image(file).to_numpy(), RGB)
    code = (
        "from impasto.pictures.reading import read_picture as r; print(r('-', 9999).samples.shape)"
    )
    run = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert run.stdout.decode().strip() == f"({HEIGHT}, {WIDTH}, 3)"


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    PIL.Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=adobe_rgb())
    tifffile.imwrite(tmp_path / "a.tif", gradient(16), photometric="rgb", compression="zlib")
    expected = {name: open_image(tmp_path / name).pixels for name in ("a.png", "a.tif")}
    failures: list[object] = []

    def work(max_pixels: int) -> None:
        for _ in range(10):
            for name, right in expected.items():
                try:
                    image = open_image(tmp_path / name, max_pixels=max_pixels)
                    if max_pixels < 100 or not torch.equal(image.pixels, right):
                        failures.append((name, max_pixels))
                except PictureError:
                    if max_pixels >= 100:
                        failures.append((name, max_pixels))

    threads = [threading.Thread(target=work, args=(limit,)) for limit in (10, 10**6) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_size_limit_is_the_callers_and_not_pillows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)
    path = saved(tmp_path / "a.png", PIL.Image.fromarray(RGB))
    with pytest.raises(PIL.Image.DecompressionBombError):
        PIL.Image.open(path)
    assert open_image(path).width == WIDTH
    tifffile.imwrite(tmp_path / "deep.tif", gradient(16), photometric="rgb")
    for source in (path, tmp_path / "deep.tif", PIL.Image.fromarray(RGB)):
        with pytest.raises(PictureError, match=r"40 x 24 .* limit of 959;.*--max-pixels 960"):
            open_image(source, max_pixels=959)
        assert open_image(source, max_pixels=960).width == WIDTH


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    # 65 535 x 65 535 pixels announced, none there: decoding would need gigabytes, or fail.
    header = struct.pack(">2I5B", 65535, 65535, 16, 6, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"")
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(PictureError, match="65535 x 65535 pixels are more than the limit"):
        open_image(tmp_path / "bomb.png")


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


def test_bad_files(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "text.jpg").write_text("not a picture at all\n" * 20)
    (tmp_path / "empty.png").touch()
    (tmp_path / "box.heic").write_bytes(b"\0\0\0\x18ftypisom" + bytes(40))
    cases = {
        "missing.png": "no such file",
        "folder.png": "is a folder",
        "text.jpg": "no picture of a kind that can be read .JPEG, PNG",
        "empty.png": "empty .0 bytes.",
        "box.heic": "no picture of a kind",
        "null\0byte.png": "cannot be read",
        "x" * 300 + ".png": "cannot be read .File name too long.",
        "text.jpg/inside.png": "cannot be read",
    }
    for name, message in cases.items():
        with pytest.raises(PictureError, match=message) as caught:
            open_image(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path))
        assert "\n" not in str(caught.value)


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)

DAMAGED: dict[str, Callable[[Path], object]] = {
    "a.jpg": lambda p: PIL.Image.fromarray(NOISE).save(p),
    "a.png": lambda p: PIL.Image.fromarray(NOISE).save(p),
    "a.webp": lambda p: PIL.Image.fromarray(NOISE).save(p),
    "a.gif": lambda p: PIL.Image.fromarray(NOISE).save(p),
    "a.bmp": lambda p: PIL.Image.fromarray(NOISE).save(p),
    "a.tif": lambda p: PIL.Image.fromarray(NOISE).save(p, compression="tiff_lzw"),
    "a.avif": lambda p: PIL.Image.fromarray(NOISE).save(p),
    "deep.png": lambda p: p.write_bytes(imagecodecs.png_encode(NOISE.astype(np.uint16) * 257)),
    "deep.tif": lambda p: tifffile.imwrite(p, NOISE.astype(np.uint16), photometric="rgb"),
    "zip.tif": lambda p: tifffile.imwrite(
        p, NOISE.astype(np.uint16), photometric="rgb", compression="zlib", rowsperstrip=8
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", DAMAGED)
def test_truncated_and_overwritten_files(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    DAMAGED[name](path)
    data = path.read_bytes()
    open_image(path)
    for share in (0.9, 0.5, 0.1, 0.01):
        path.write_bytes(data[: max(9, int(len(data) * share))])
        with pytest.raises(PictureError) as caught:
            open_image(path)
        assert "\n" not in str(caught.value)
    # Random damage may go unnoticed by a decoder, but must not raise anything else.
    generator = np.random.default_rng(1)
    for _ in range(30):
        damaged = bytearray(data)
        for at in generator.integers(8, min(len(data), 600), 6):
            damaged[at] = generator.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(PictureError):
            open_image(path)
    assert capfd.readouterr().err == ""


def test_heic_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # what Python does when it is missing
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(64))
    with pytest.raises(MissingExtraError, match=r"pip install 'impasto\[heic\]'"):
        open_image(tmp_path / "a.heic")
