"""Files that can come in, and what they look like inside."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile
import torch
from numpy.typing import NDArray

from impasto.errors import MissingExtraError, PictureError
from impasto.pictures.image import open_image
from support.picture_files import (
    GRAY,
    HEIGHT,
    RGB,
    WIDTH,
    adobe_rgb,
    assert_exact,
    gradient,
    pixels,
)

# Files whose every sample must come out exactly: file name, how to write it, what it must be.
EXACT: dict[str, tuple[Callable[[Path], object], NDArray[Any]]] = {
    "rgb.png": (lambda p: PIL.Image.fromarray(RGB).save(p), RGB / 255),
    "rgb.bmp": (lambda p: PIL.Image.fromarray(RGB).save(p), RGB / 255),
    "rgb.webp": (lambda p: PIL.Image.fromarray(RGB).save(p, lossless=True), RGB / 255),
    "gray.png": (lambda p: PIL.Image.fromarray(GRAY).save(p), GRAY[..., None] / 255),
    "gray.gif": (lambda p: PIL.Image.fromarray(GRAY).save(p), GRAY[..., None] / 255),
    "bilevel.png": (lambda p: PIL.Image.fromarray(GRAY > 99).save(p), (GRAY > 99)[..., None] * 1.0),
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
}


@pytest.mark.parametrize("name", EXACT)
def test_lossless_files_come_in_exactly(name: str, tmp_path: Path) -> None:
    write, expected = EXACT[name]
    write(tmp_path / name)
    assert_exact(tmp_path / name, expected)


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


def test_of_several_pictures_the_primary_one_comes_in(tmp_path: Path) -> None:
    red, blue = (PIL.Image.new("RGB", (64, 64), color) for color in ("red", "blue"))
    red.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[blue.resize((16, 16))])
    assert np.abs(pixels(open_image(tmp_path / "a.jpg"))[9, 9] - [1, 0, 0]).max() < 0.02
    pillow_heif = pytest.importorskip("pillow_heif")
    both = pillow_heif.from_pillow(red)
    both.add_from_pillow(blue)
    for number, color in ((0, [1, 0, 0]), (1, [0, 0, 1])):
        both.save(tmp_path / "a.heic", primary_index=number, quality=95)
        assert np.abs(pixels(open_image(tmp_path / "a.heic"))[9, 9] - color).max() < 0.02


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (1, 1)])
def test_a_single_row_or_column_comes_in(size: tuple[int, int], tmp_path: Path) -> None:
    PIL.Image.new("RGBA", size, (255, 0, 0, 0)).save(tmp_path / "line.png")
    image = open_image(tmp_path / "line.png")
    assert (image.width, image.height) == size


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


def test_streams_of_other_kinds(tmp_path: Path) -> None:
    """One that can only be read comes in; one opened as text is refused with the remedy."""

    class Pipe:
        def read(self) -> bytes:
            return (tmp_path / "a.png").read_bytes()

    PIL.Image.fromarray(RGB).save(tmp_path / "a.png")
    came = open_image(Pipe())  # type: ignore[arg-type]
    assert np.array_equal(came.to_numpy(), RGB)
    (tmp_path / "some.txt").write_text("words")
    for text in ((tmp_path / "some.txt").open(), io.StringIO("words")):
        with text, pytest.raises(PictureError, match="opened as text; open it with the mode 'rb'"):
            open_image(text)  # type: ignore[arg-type]


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
    path = tmp_path / "a.png"
    PIL.Image.fromarray(RGB).save(path)
    with pytest.raises(PIL.Image.DecompressionBombError):
        PIL.Image.open(path)
    assert open_image(path).width == WIDTH
    tifffile.imwrite(tmp_path / "deep.tif", gradient(16), photometric="rgb")
    for source in (path, tmp_path / "deep.tif", PIL.Image.fromarray(RGB)):
        with pytest.raises(PictureError, match=r"40 x 24 .* limit of 959;.*--max-pixels 960"):
            open_image(source, max_pixels=959)
        assert open_image(source, max_pixels=960).width == WIDTH


def test_heic_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # what Python does when it is missing
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(64))
    with pytest.raises(MissingExtraError, match=r"pip install 'impasto\[heic\]'"):
        open_image(tmp_path / "a.heic")
