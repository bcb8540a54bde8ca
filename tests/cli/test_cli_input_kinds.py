"""Every kind of picture goes in, as content and as style at once, and a picture comes out."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, ImageCms

from support.command_line import picture, pixels, run, run_all

Save = Callable[[Path], object]


def _transparent() -> Image.Image:
    whole = picture().convert("RGBA")
    whole.putalpha(Image.linear_gradient("L").resize(whole.size))
    return whole


def _deep() -> np.ndarray[Any, Any]:
    samples = np.asarray(picture(), dtype=np.uint16) * 257
    samples[::2] ^= 1  # more than 8 bits can say
    return samples


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: shown turned by a quarter
    return exif


def _in_space(profile: bytes, mode: str) -> Image.Image:
    """The same colours in other numbers."""
    sources = (io.BytesIO(imagecodecs.cms_profile("srgb")), io.BytesIO(profile))
    converted = ImageCms.profileToProfile(picture(), *sources, outputMode=mode)
    assert converted is not None
    return converted


def _save_wide_gamut(path: Path) -> None:
    profile = imagecodecs.cms_profile("adobergb")
    _in_space(profile, "RGB").save(path, icc_profile=profile)


def _save_lab(path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    _in_space(profile, "LAB").save(path)


def _save_heic(path: Path) -> None:
    pillow_heif.from_pillow(picture()).save(path, quality=95)


def _save_code_points(path: Path) -> None:
    """Display P3, which an AVIF says by numbers and not by a profile."""
    primaries = [0.680, 0.320, 0.265, 0.690, 0.150, 0.060]
    profile = imagecodecs.cms_profile(
        "rgb", whitepoint=[0.3127, 0.3290], primaries=primaries, gamma=2.2
    )
    samples = np.asarray(_in_space(profile, "RGB"))
    data = imagecodecs.avif_encode(
        samples, 95, primaries=12, transfer=4, matrix=1, pixelformat="444"
    )
    path.write_bytes(data)


def _save_animation(path: Path) -> None:
    picture().save(path, save_all=True, append_images=[picture(seed=3), picture(seed=4)])


KINDS: dict[str, tuple[str, Save]] = {
    "png-rgb": ("png", lambda path: picture().save(path)),
    "png-rgba": ("png", lambda path: _transparent().save(path)),
    "png-palette": ("png", lambda path: picture().quantize(256).save(path)),
    "png-1-bit": ("png", lambda path: picture().convert("1").save(path)),
    "png-grey": ("png", lambda path: picture().convert("L").save(path)),
    "png-grey-alpha": ("png", lambda path: _transparent().convert("LA").save(path)),
    "png-16-bit": ("png", lambda path: path.write_bytes(imagecodecs.png_encode(_deep()))),
    "png-wide-gamut": ("png", _save_wide_gamut),
    "jpeg": ("jpg", lambda path: picture().save(path, quality=95)),
    "jpeg-cmyk": ("jpg", lambda path: picture().convert("CMYK").save(path, quality=95)),
    "jpeg-grey": ("jpg", lambda path: picture().convert("L").save(path)),
    "jpeg-exif": ("jpg", lambda path: picture().save(path, exif=_turned())),
    "webp": ("webp", lambda path: picture().save(path, quality=95)),
    "avif": ("avif", lambda path: picture().save(path, quality=95)),
    "avif-code-points": ("avif", _save_code_points),
    "heic": ("heic", _save_heic),
    "tiff": ("tif", lambda path: picture().save(path)),
    "tiff-16-bit": ("tif", lambda path: tifffile.imwrite(path, _deep(), photometric="rgb")),
    "tiff-cmyk": ("tif", lambda path: picture().convert("CMYK").save(path)),
    "tiff-lab": ("tif", _save_lab),
    "gif": ("gif", lambda path: picture().save(path)),
    "gif-animated": ("gif", _save_animation),
    "bmp": ("bmp", lambda path: picture().save(path)),
    "flat-black": ("png", lambda path: Image.new("RGB", (48, 32)).save(path)),
    "flat-white": ("png", lambda path: Image.new("L", (48, 32), 255).save(path)),
}
TRANSPARENT = {"png-rgba", "png-grey-alpha"}
DEEP = {"png-16-bit", "tiff-16-bit"}
COARSE_COLORS = {"jpeg", "webp", "avif", "heic"}  # colour at half the resolution
OTHER_COLORS = {"png-1-bit", "png-grey", "jpeg-grey", "jpeg-exif", "flat-black", "flat-white"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of every kind, and it as content and as style; two runs, side by side."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind, (extension, save) in KINDS.items():
        save(folder / f"{kind}.{extension}")
    every = [f"{kind}.{extension}" for kind, (extension, _) in KINDS.items()]
    flags = ["--size", "40", "--iterations", "1", "--quiet"]
    roles = {"content": ["style", every[0]], "style": ["content", every[0]]}
    cases: dict[str, list[object]] = {}
    for role, (other, one) in roles.items():
        (folder / role).mkdir()
        files = [f"--{role}", *every, f"--{other}", one]
        cases[role] = ["sheet", *files, "--cells", role, "-o", f"{role}.png", *flags]
    for result in run_all(cases, folder).values():
        assert (result.returncode, result.stderr, result.stdout) == (0, b"", b"")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_kind_as_content(folder: Path, kind: str) -> None:
    path = folder / "content" / f"{kind}-in-png-rgb.png"
    made = pixels(path)
    assert made.shape[:2] == ((40, 27) if kind == "jpeg-exif" else (27, 40))
    assert made.shape[2] == (4 if kind in TRANSPARENT else 3)
    samples = imagecodecs.png_decode(path.read_bytes())
    assert samples.dtype == (np.uint16 if kind in DEEP else np.uint8)
    # One iteration is the start, and the start is the content: it must show the same.
    if kind not in OTHER_COLORS | TRANSPARENT:
        expected = pixels(folder / "content" / "png-rgb-in-png-rgb.png")
        difference = np.abs(made.astype(float) - expected).mean()
        assert difference < (15 if kind in COARSE_COLORS else 6)


@pytest.mark.parametrize("kind", KINDS)
def test_kind_as_style(folder: Path, kind: str) -> None:
    assert pixels(folder / "style" / f"png-rgb-in-{kind}.png").shape == (27, 40, 3)


def test_a_picture_without_its_end_mark_is_painted_and_said(tmp_path: Path) -> None:
    picture(seed=1).save(tmp_path / "style.png")
    picture().save(tmp_path / "photo.jpg")
    data = (tmp_path / "photo.jpg").read_bytes()
    flags = ["-o", "out.png", "--size", "40", "--iterations", "1"]
    (tmp_path / "photo.jpg").write_bytes(data[:-2])
    result = run("stylize", "photo.jpg", "style.png", *flags, folder=tmp_path)
    assert result.returncode == 0
    assert b"impasto: photo.jpg: the JPEG lacks its end mark" in result.stderr


def test_standard_streams(tmp_path: Path) -> None:
    picture(seed=1).save(tmp_path / "style.png")
    content = io.BytesIO()
    picture().save(content, "PNG")
    flags = ["-o", "-", "--size", "40", "--iterations", "1"]
    result = run("stylize", "-", "style.png", *flags, folder=tmp_path, stdin=content.getvalue())
    assert result.returncode == 0
    with Image.open(io.BytesIO(result.stdout)) as made:
        assert (made.format, made.size) == ("PNG", (40, 27))
    # Nothing but the picture on standard output: the words went to standard error.
    assert result.stdout.endswith(b"IEND\xaeB`\x82")
    assert b"wrote standard output (40 x 27)" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["style.png"]
