"""Files that are no pictures, or no longer: one clear line, and nothing worse."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile

from impasto.errors import PictureError
from impasto.pictures.image import open_image
from support.picture_files import png_chunk


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    # 65 535 x 65 535 pixels announced, none there: decoding would need gigabytes, or fail.
    header = struct.pack(">2I5B", 65535, 65535, 16, 6, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"")
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(PictureError, match="65535 x 65535 pixels are more than the limit"):
        open_image(tmp_path / "bomb.png")


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
