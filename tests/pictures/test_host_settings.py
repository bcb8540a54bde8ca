"""Pictures come in the same whatever the host has set in Pillow, NumPy and warnings."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from PIL import ImageFile

from impasto.errors import PictureError, PictureWarning
from impasto.pictures.host_settings import by_own_rules
from impasto.pictures.image import open_image
from impasto.pictures.reading import read_recipe
from support.picture_files import RGB, png_chunk, sample

NOISE = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)


def encoded(file_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(NOISE).save(stream, file_format, **options)
    return stream.getvalue()


WHOLE = {
    "a.jpg": encoded("JPEG"),
    "a.png": encoded("PNG"),
    "a.gif": encoded("GIF"),
    "a.bmp": encoded("BMP"),
    "a.webp": encoded("WEBP"),
    "a.avif": encoded("AVIF"),
    "jpeg.tif": encoded("TIFF", compression="jpeg"),
    "deep.png": bytes(imagecodecs.png_encode(NOISE.astype(np.uint16) * 257)),
}


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("name", WHOLE)
def test_pillows_leave_to_load_half_a_file_is_not_taken(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data, path = WHOLE[name], tmp_path / name
    path.write_bytes(data)
    open_image(path)
    for share in (0.95, 0.5):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(PictureError):
            open_image(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    if name == "a.jpg":  # broken in the middle, and with its end
        path.write_bytes(data[:700] + b"\xff\xc4\0\0" * 50 + data[900:])
        with pytest.raises(PictureError):
            open_image(path)


def test_the_hosts_leave_is_given_back_after_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    accepted: list[object] = []

    def work() -> None:
        for _ in range(20):
            try:
                accepted.append(open_image(io.BytesIO(WHOLE["a.jpg"][:-300])))
            except PictureError:
                open_image(io.BytesIO(WHOLE["a.jpg"]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert accepted == []
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def exif_of_two_orientations() -> bytes:
    exif = PIL.Image.Exif()
    exif[274] = 6
    inner = bytearray(exif.tobytes())
    at = inner.index(b"\x01\x12")  # the tag: then its type, and how many values it has
    inner[at + 4 : at + 8] = (2).to_bytes(4)
    return bytes(inner)


def of_many_warnings() -> dict[str, bytes]:
    """Good pictures that make Pillow warn."""
    palette = PIL.Image.fromarray(RGB).quantize(8)
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=bytes([0, 128] + [255] * 6))
    turned = io.BytesIO()
    PIL.Image.fromarray(RGB).save(turned, "JPEG", exif=exif_of_two_orientations())
    return {"palette": stream.getvalue(), "turned": turned.getvalue()}


@pytest.mark.parametrize("name", ["palette", "turned"])
@pytest.mark.filterwarnings("ignore")
def test_warnings_that_the_host_makes_errors_stop_nothing(name: str) -> None:
    data = of_many_warnings()[name]
    expected = open_image(io.BytesIO(data))
    objects: list[Any] = [io.BytesIO(data), PIL.Image.open(io.BytesIO(data))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for source in objects:
            image = open_image(source)
            assert (image.width, image.height) == (expected.width, expected.height)
            np.testing.assert_array_equal(image.to_numpy(), expected.to_numpy())


def test_impastos_own_warnings_are_the_hosts_to_treat() -> None:
    data = encoded("PNG")
    absurd = data[:33] + png_chunk(b"gAMA", bytes(4)) + data[33:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PictureWarning, match="gAMA"):
            open_image(io.BytesIO(absurd))
        warnings.simplefilter("ignore", PictureWarning)
        np.testing.assert_array_equal(open_image(io.BytesIO(absurd)).to_numpy(), NOISE)


def test_a_jpeg_cut_and_ended_never_comes_in_without_a_word() -> None:
    for options in ({}, {"exif": exif_of_two_orientations()}):
        data = encoded("JPEG", **options)
        cut = data[: len(data) // 2].rstrip(b"\xff") + b"\xff\xd9"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for source in (io.BytesIO(cut), PIL.Image.open(io.BytesIO(cut))):
                with pytest.raises(PictureWarning, match="seem to end before its pixels do"):
                    open_image(source)


def test_impastos_own_warnings_come_once_where_others_are_errors() -> None:
    data = encoded("PNG", exif=exif_of_two_orientations())
    absurd = data[:33] + png_chunk(b"gAMA", bytes(4)) + data[33:]
    for source in (io.BytesIO(absurd), PIL.Image.open(io.BytesIO(absurd))):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("error")
            warnings.simplefilter("always", PictureWarning)
            open_image(source)
        assert len(found) == 1
        assert "gAMA" in str(found[0].message)


@pytest.mark.parametrize("own", [False, True])
def test_what_the_host_sets_meanwhile_stays(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)

    def decode() -> None:
        assert not ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = own

    by_own_rules(decode, 9)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is own


FORKING = """
import os, signal, threading, warnings
import PIL.Image
from PIL import ImageFile
from impasto.pictures.host_settings import by_own_rules

PIL.Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = 77, True
warnings.simplefilter("error")
filters = list(warnings.filters)
busy, done = threading.Event(), threading.Event()

def decode():
    if PIL.Image.MAX_IMAGE_PIXELS == 77:
        raise UserWarning
    busy.set()
    done.wait()

def seen_by_host():
    return PIL.Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, warnings.filters

thread = threading.Thread(target=by_own_rules, args=(decode, 9), daemon=True)
thread.start()
busy.wait()
child = os.fork()
if child == 0:
    signal.alarm(60)  # instead of waiting for ever
    assert seen_by_host() == (77, True, filters)
    limits = iter([77, 5])
    def decode_here():
        assert next(limits) == PIL.Image.MAX_IMAGE_PIXELS and not ImageFile.LOAD_TRUNCATED_IMAGES
        if PIL.Image.MAX_IMAGE_PIXELS == 77:
            raise UserWarning
        return "decoded"
    assert by_own_rules(decode_here, 5) == "decoded"
    assert seen_by_host() == (77, True, filters)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
done.set()
thread.join()
assert seen_by_host() == (77, True, filters)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_forked_while_another_thread_decodes_decodes_too() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_pillows_limit_of_pixels_counts_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    # A GIF whose frame is larger than its screen: Pillow checks the limit when it opens one.
    gif = bytearray(WHOLE["a.gif"])
    gif[6:10] = bytes([9, 0, 9, 0])
    expected = open_image(io.BytesIO(bytes(gif))).to_numpy()
    for limit in (1, 1500, None):
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
        for data in (*WHOLE.values(), bytes(gif)):
            open_image(io.BytesIO(data))
        np.testing.assert_array_equal(open_image(io.BytesIO(bytes(gif))).to_numpy(), expected)
        assert limit == PIL.Image.MAX_IMAGE_PIXELS
        with pytest.raises(PictureError, match="more than the limit of 2303"):
            open_image(io.BytesIO(bytes(gif)), max_pixels=2303)


def test_numpys_errors_stop_nothing() -> None:
    data = encoded("PNG")
    signals = [bytes([9, 16, 0, 1]), bytes([9, 18, 0, 1]), bytes([1, 10, 0, 1])]
    files = [data[:33] + png_chunk(b"cICP", signal) + data[33:] for signal in signals]
    expected = [open_image(io.BytesIO(file)).to_numpy() for file in (*files, *WHOLE.values())]
    cmyk = io.BytesIO()
    PIL.Image.fromarray(NOISE).convert("CMYK").save(cmyk, "TIFF")
    with np.errstate(all="raise"):
        for file, right in zip((*files, *WHOLE.values()), expected, strict=True):
            np.testing.assert_array_equal(open_image(io.BytesIO(file)).to_numpy(), right)
        open_image(cmyk)


def test_a_recipe_is_read_under_the_same_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample(recipe={"size": 9}).save(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_recipe(tmp_path / "a.png") == {"size": 9}
