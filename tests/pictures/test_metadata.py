"""The recipe inside a picture, and its orientation."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile
import torch
from hypothesis import given, settings, strategies as st

from impasto.errors import OutputError, PictureError
from impasto.pictures.image import Image, open_image
from impasto.pictures.reading import read_recipe
from support.picture_files import RGB, WIDTH, files_in, pixels, png_chunk, sample

CARRIERS = [".png", ".jpg", ".webp", ".tif"]


RECIPE: dict[str, Any] = {
    "content": "Tübingen 🎨 <&>\"' ]]> \x7f\u2028\ufffe.jpg",
    "undecodable file name": "\udcff.png",
    "layers": {"relu4_2": 1.0, "conv5_1": 0.2},
    "sizes": [128, 256, 512],
    "tiny": 1e-300,
    "seed": 2**63,
    "stop": None,
    "pyramid": True,
    "empty": {},
}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extension", CARRIERS)
def test_the_recipe_comes_back(extension: str, bits: int, tmp_path: Path) -> None:
    path = sample(bits, recipe=RECIPE).save(tmp_path / f"a{extension}")
    assert read_recipe(path) == RECIPE
    assert open_image(path).recipe == RECIPE
    with path.open("rb") as file:
        assert read_recipe(file) == RECIPE


@pytest.mark.parametrize("extension", CARRIERS)
def test_a_recipe_of_tens_of_kilobytes_comes_back(extension: str, tmp_path: Path) -> None:
    recipe = {"notes": ['strokes & waves in "oil" ' * 10] * 200}
    assert len(json.dumps(recipe)) > 50_000
    assert read_recipe(sample(recipe=recipe).save(tmp_path / f"a{extension}")) == recipe


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


@pytest.mark.parametrize("extension", CARRIERS)
@settings(max_examples=40, deadline=None)
@given(recipe=st.dictionaries(st.text(), JSON, max_size=5))
def test_any_recipe_comes_back(extension: str, folder: Path, recipe: dict[str, Any]) -> None:
    image = Image(torch.zeros(1, 3, 4, 4), recipe=recipe)
    assert read_recipe(image.save(folder / f"a{extension}")) == recipe


def test_a_recipe_survives_other_programs(tmp_path: Path) -> None:
    # Texts behind the pixels and compressed, as PNG optimisers leave them.
    path = sample(recipe=RECIPE).save(tmp_path / "a.png")
    data = path.read_bytes()
    start = data.index(b"iTXt") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    text = data[start + 8 : end - 4].removeprefix(b"impasto\0\0\0\0\0")
    content = b"iTXt" + b"impasto\0\1\0\0\0" + zlib.compress(text)
    chunk = (len(content) - 4).to_bytes(4) + content + zlib.crc32(content).to_bytes(4)
    path.write_bytes(data[:start] + data[end:-12] + chunk + data[-12:])
    assert read_recipe(path) == RECIPE
    assert open_image(path).width == 64
    # The same property as an attribute, and padding behind, as XMP tools may rewrite it.
    quoted = json.dumps(RECIPE).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f'xmlns:i="urn:impasto:recipe#" i:recipe="{quoted}"/></rdf:RDF></x:xmpmeta>'
    )
    sample().to_pil().save(tmp_path / "a.jpg", xmp=xmp.encode() + b" " * 100)
    assert read_recipe(tmp_path / "a.jpg") == RECIPE


def test_pictures_without_a_recipe(tmp_path: Path) -> None:
    for extension in CARRIERS:
        path = sample().save(tmp_path / f"a{extension}")
        with pytest.raises(PictureError, match="holds no recipe"):
            read_recipe(path)
        assert open_image(path).recipe is None
    # A stranger's JSON in a TIFF, XMP in a JPEG, and something that is no recipe in a PNG.
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 3), np.uint16), metadata={"a": 1})
    sample().to_pil().save(tmp_path / "a.jpg", xmp=b"<x:xmpmeta urn:impasto:recipe#")
    info = PIL.PngImagePlugin.PngInfo()
    info.add_itxt("impasto", "thick paint")
    sample().to_pil().save(tmp_path / "a.png", pnginfo=info)
    for extension in (".tif", ".jpg", ".png"):
        with pytest.raises(PictureError, match="holds no recipe"):
            read_recipe(tmp_path / f"a{extension}")
    with pytest.raises(PictureError, match="no such file"):
        read_recipe(tmp_path / "missing.png")
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(PictureError, match="no picture of a kind"):
        read_recipe(tmp_path / "text.png")


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_a_recipe_that_is_no_json_writes_nothing(value: object, tmp_path: Path) -> None:
    for extension in CARRIERS:
        with pytest.raises(OutputError, match="cannot be written as JSON"):
            sample(recipe={"bad": value}).save(tmp_path / f"a{extension}")
    assert files_in(tmp_path) == []


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


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_exif_does_not_lose_the_picture(tmp_path: Path) -> None:
    PIL.Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert open_image(tmp_path / "a.jpg").width == WIDTH
