"""Every kind of picture goes in, as content and as style at once, and a picture comes out."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from command_line import picture, pixels, run, run_all
from PIL import Image

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


KINDS: dict[str, tuple[str, Save]] = {
    "png rgb": ("png", lambda path: picture().save(path)),
    "png rgba": ("png", lambda path: _transparent().save(path)),
    "png palette": ("png", lambda path: picture().quantize(16).save(path)),
    "png 1-bit": ("png", lambda path: picture().convert("1").save(path)),
    "png grey": ("png", lambda path: picture().convert("L").save(path)),
    "png 16-bit": ("png", lambda path: path.write_bytes(imagecodecs.png_encode(_deep()))),
    "jpeg": ("jpg", lambda path: picture().save(path)),
    "jpeg cmyk": ("jpg", lambda path: picture().convert("CMYK").save(path)),
    "jpeg grey": ("jpg", lambda path: picture().convert("L").save(path)),
    "jpeg exif": ("jpg", lambda path: picture().save(path, exif=_turned())),
    "webp": ("webp", lambda path: picture().save(path)),
    "tiff": ("tif", lambda path: picture().save(path)),
    "gif": ("gif", lambda path: picture().save(path)),
    "bmp": ("bmp", lambda path: picture().save(path)),
    "flat black": ("png", lambda path: Image.new("RGB", (48, 32)).save(path)),
    "flat white": ("png", lambda path: Image.new("L", (48, 32), 255).save(path)),
}

# Content and style: two kinds for each run.
PAIRS = [
    ("png rgb", "flat black"),
    ("png rgba", "png grey"),
    ("png palette", "jpeg"),
    ("png 1-bit", "jpeg cmyk"),
    ("png 16-bit", "jpeg grey"),
    ("jpeg exif", "webp"),
    ("tiff", "gif"),
    ("flat white", "bmp"),
]


def test_pairs_name_every_kind() -> None:
    assert {kind for pair in PAIRS for kind in pair} == set(KINDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of every kind, and the result of every pair; run side by side."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind, (extension, save) in KINDS.items():
        save(folder / f"{kind}.{extension}")
    flags = ["--size", "40", "--iterations", "1", "--quiet"]
    cases = {
        content: ["stylize", _file(content), _file(style), "-o", f"{content}-made.png", *flags]
        for content, style in PAIRS
    }
    for result in run_all(cases, folder).values():
        assert (result.returncode, result.stderr, result.stdout) == (0, b"", b"")
    return folder


def _file(kind: str) -> str:
    return f"{kind}.{KINDS[kind][0]}"


@pytest.mark.parametrize("content", [content for content, _ in PAIRS])
def test_input_kinds(folder: Path, content: str) -> None:
    result = folder / f"{content}-made.png"
    made = pixels(result)
    assert made.shape[:2] == ((40, 27) if content == "jpeg exif" else (27, 40))
    assert made.shape[2] == (4 if content == "png rgba" else 3)
    samples = imagecodecs.png_decode(result.read_bytes())
    assert samples.dtype == (np.uint16 if content == "png 16-bit" else np.uint8)


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
