"""The resolution of a print in files, read back by Pillow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL import ExifTags

from impasto.errors import PictureError, SettingsError
from impasto.pictures.image import Image, open_image
from support.pictures import painted

PICTURE = Image(painted(20, 30, seed=3))


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_the_resolution_is_in_the_file(ending: str, tmp_path: Path) -> None:
    file = replace(PICTURE, dpi=240).save(tmp_path / f"out.{ending}")
    with PIL.Image.open(file) as found:
        exif = found.getexif()
        if ending != "webp":
            assert found.info["dpi"] == pytest.approx((240, 240), abs=0.05)
        if ending != "png":
            assert exif[ExifTags.Base.XResolution] == exif[ExifTags.Base.YResolution] == 240
            assert exif[ExifTags.Base.ResolutionUnit] == 2
        assert found.info["icc_profile"]
    assert np.abs(open_image(file).to_numpy().astype(int) - PICTURE.to_numpy()).mean() < 9


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_nothing_is_said_where_nothing_is_known(ending: str, tmp_path: Path) -> None:
    file = PICTURE.save(tmp_path / f"out.{ending}")
    with PIL.Image.open(file) as found:
        assert "dpi" not in found.info
        assert ExifTags.Base.XResolution not in found.getexif()


def test_bits_and_dpi_may_be_given_when_saving(tmp_path: Path) -> None:
    file = PICTURE.save(tmp_path / "out.tif", bits=16, dpi=299.5)
    found = open_image(file)
    assert found.bits == 16
    assert float((found.pixels - PICTURE.pixels.clamp(0, 1)).abs().max()) < 1 / 65535
    with PIL.Image.open(file) as opened:
        assert opened.info["dpi"] == pytest.approx((299.5, 299.5))
    with pytest.raises(SettingsError, match="dpi = 5"):
        PICTURE.save(tmp_path / "other.tif", dpi=5)
    assert not (tmp_path / "other.tif").exists()


@pytest.mark.parametrize("name", ["out.jpg", "OUT.JPEG", "out.webp"])
def test_more_bits_than_a_format_has_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="has 8 bits; give a name"):
        PICTURE.save(tmp_path / name, bits=16)
    assert not list(tmp_path.iterdir())
    assert PICTURE.save(tmp_path / name, bits=8).exists()
