"""Picture files of every kind, and what they hold."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
import torch
from numpy.typing import NDArray

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


RGB = gradient()
GRAY = RGB[..., 0]


def pixels(image: Image) -> NDArray[np.float32]:
    """(H, W, 3) floats of an Image."""
    array: NDArray[np.float32] = image.pixels[0].permute(1, 2, 0).numpy()
    return array


def deep_tiff(samples: NDArray[Any], **options: Any) -> Callable[[Path], object]:
    """Writes samples, once it gets a path."""
    return lambda path: tifffile.imwrite(path, samples, **options)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG with its length and checksum."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def one_row_tiff(bits: int, row: bytes, width: int, **more: tuple[int, ...]) -> io.BytesIO:
    """A TIFF of one row of one channel, little-endian, written by hand (TIFF 6.0, section 2)."""
    fields = {
        "t256": (width,),
        "t257": (1,),
        "t258": (bits,),
        "t259": (1,),
        "t262": (1,),
        "t273": (0,),
        "t277": (1,),
        "t278": (1,),
        "t279": (len(row),),
        **more,
    }
    end = 8 + 2 + 12 * len(fields) + 4
    behind, entries = b"", b""
    for name, values in sorted(fields.items()):
        data = struct.pack(f"<{len(values)}H", *values)
        if name == "t273":
            data = struct.pack("<H", end + sum(2 * len(v) for v in fields.values() if len(v) > 2))
        if len(data) > 4:
            data, behind = struct.pack("<I", end + len(behind)), behind + data
        entries += struct.pack("<HHI", int(name[1:]), 3, len(values)) + data.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<IH", 8, len(fields))
    return io.BytesIO(head + entries + bytes(4) + behind + row)


def adobe_rgb() -> bytes:
    """The ICC profile of a gamut wider than sRGB."""
    return bytes(imagecodecs.cms_profile("adobergb"))


def sample(bits: int = 8, alpha: bool = False, recipe: dict[str, Any] | None = None) -> Image:
    """A picture of exact 8- or 16-bit values; smooth, so that lossy formats keep it."""
    rows, columns = torch.meshgrid(
        torch.linspace(0, 1, 48), torch.linspace(0, 1, 64), indexing="ij"
    )
    highest = 2**bits - 1
    pixels = torch.stack([columns, rows, 1 - columns])[None].mul(highest).round() / highest
    mask = rows.mul(highest).round()[None, None] / highest if alpha else None
    return Image(pixels, mask, bits, recipe)


def files_in(folder: Path) -> list[str]:
    """Names, hidden ones included."""
    return sorted(path.name for path in folder.iterdir())


def run_python(code: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a program in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, **options
    )


def assert_exact(path: Path, expected: NDArray[Any]) -> None:
    """A picture of 40 x 24 comes in with these values, to the precision of its depth."""
    image = open_image(path)
    assert image.pixels.dtype == torch.float32
    assert tuple(image.pixels.shape) == (1, 3, HEIGHT, WIDTH)
    assert (image.width, image.height) == (WIDTH, HEIGHT)
    assert image.alpha is None
    deep = any(mark in path.name for mark in ("16", "32", "float"))
    assert image.bits == (16 if deep else 8)
    tolerance = 0.6 / 65535 if deep else 1e-7
    np.testing.assert_allclose(
        pixels(image), np.broadcast_to(expected, (HEIGHT, WIDTH, 3)), rtol=0, atol=tolerance
    )
