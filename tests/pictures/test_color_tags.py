"""Colours that are told by numbers: nclx, cICP, gAMA and cHRM, EXIF's word for Adobe RGB."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
from numpy.typing import NDArray

from impasto.errors import PictureWarning
from impasto.pictures.image import open_image
from impasto.pictures.nclx import nclx_of
from support.picture_files import GRAY, RGB, adobe_rgb, gradient, pixels, png_chunk

D65 = (0.3127, 0.3290)
SRGB = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3 = (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
BT2020 = (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
DCI = (0.314, 0.351, *P3[2:])
NTSC = (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08)
COLORS = np.array([[0.4, 0.6, 0.3], [0.8, 0.5, 0.7], [0.5, 0.5, 0.5], [1, 1, 1], [0, 0, 0]])


def srgb_decoded(code: NDArray[Any]) -> NDArray[Any]:
    result: NDArray[Any] = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return result


def xyz_of(chromaticities: tuple[float, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The matrix of RGB to XYZ, and the white (SMPTE RP 177)."""
    xy = np.array(chromaticities).reshape(4, 2)
    xyz = np.column_stack([xy, 1 - xy.sum(1)])
    white = xyz[0] / xyz[0, 1]
    primaries = xyz[1:].T
    return primaries * np.linalg.solve(primaries, white), white


def in_srgb(linear: NDArray[Any], chromaticities: tuple[float, ...]) -> NDArray[Any]:
    """Linear RGB of these primaries as sRGB; another white is adapted by Bradford."""
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    matrix, white = xyz_of(chromaticities)
    target, target_white = xyz_of(SRGB)
    scale = np.diag((bradford @ target_white) / (bradford @ white))
    adapted = np.linalg.inv(bradford) @ scale @ bradford
    light = (linear @ (np.linalg.inv(target) @ adapted @ matrix).T).clip(0, 1)
    result: NDArray[Any] = np.where(
        light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055
    )
    return result


def png(*chunks: bytes, colors: NDArray[Any] = COLORS, bits: int = 8) -> bytes:
    """A PNG of one row with these chunks before its pixels."""
    highest = 2**bits - 1
    samples = np.rint(colors * highest).astype(np.uint8 if bits == 8 else np.uint16)
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(samples[None])))
    return data[:33] + b"".join(chunks) + data[33:]


def gama(gamma: float) -> bytes:
    return png_chunk(b"gAMA", struct.pack(">I", round(gamma * 100000)))


def chrm(chromaticities: tuple[float, ...]) -> bytes:
    values = [round(value * 100000) for value in chromaticities]
    return png_chunk(b"cHRM", struct.pack(">8I", *values))


def cicp(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    return png_chunk(b"cICP", bytes([primaries, transfer, matrix, full_range]))


def iccp(profile: bytes) -> bytes:
    return png_chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))


def row(data: bytes) -> NDArray[Any]:
    """The first row of a picture, (W, 3)."""
    array: NDArray[np.float32] = pixels(open_image(io.BytesIO(data)))[0]
    return array


def avif(primaries: int, transfer: int, color: tuple[int, int, int] = (0, 200, 0)) -> bytes:
    samples = np.full((16, 16, 3), color, np.uint8)
    return bytes(
        imagecodecs.avif_encode(
            samples, 100, primaries=primaries, transfer=transfer, matrix=1, pixelformat="444"
        )
    )


# Code points of primaries and transfer, their chromaticities, and what makes samples linear.
CODE_POINTS: dict[str, tuple[int, int, tuple[float, ...], Callable[[Any], Any]]] = {
    "Display P3": (12, 13, P3, srgb_decoded),
    "P3, camera curve": (12, 1, P3, srgb_decoded),
    "P3, nothing said of the curve": (12, 2, P3, srgb_decoded),
    "DCI P3": (11, 17, DCI, lambda code: (52.37 / 48 * code**2.6).clip(0, 1)),
    "BT.2020": (9, 14, BT2020, srgb_decoded),
    "linear BT.2020": (9, 8, BT2020, lambda code: code),
    "BT.470 M": (4, 4, NTSC, lambda code: code**2.2),
    "gamma 2.8": (5, 5, (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06), lambda code: code**2.8),
    "SMPTE C": (6, 6, (*D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07), srgb_decoded),
    "logarithmic": (1, 9, SRGB, lambda code: np.where(code > 0, 100.0 ** (code - 1), 0)),
}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", CODE_POINTS)
def test_code_points_of_a_png_are_applied(name: str, bits: int) -> None:
    primaries, transfer, chromaticities, decode = CODE_POINTS[name]
    expected = in_srgb(decode(COLORS), chromaticities)
    result = row(png(cicp(primaries, transfer), bits=bits))
    np.testing.assert_allclose(result, expected, atol=0.012 if bits == 8 else 0.0015)


@pytest.mark.parametrize("name", ["Display P3", "P3, camera curve", "BT.2020", "linear BT.2020"])
def test_code_points_of_an_avif_are_applied(name: str, tmp_path: Path) -> None:
    primaries, transfer, chromaticities, decode = CODE_POINTS[name]
    color = np.array([0, 200, 0]) / 255
    path = tmp_path / "a.avif"
    path.write_bytes(avif(primaries, transfer))
    expected = in_srgb(decode(color), chromaticities)
    loaded = PIL.Image.open(path)
    loaded.load()
    for source in (
        path,
        PIL.Image.open(path),
        loaded,
        PIL.Image.open(io.BytesIO(avif(primaries, transfer))),
    ):
        np.testing.assert_allclose(pixels(open_image(source))[8, 8], expected, atol=0.015)


def test_code_points_of_a_heic_are_applied(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    picture = PIL.Image.new("RGB", (64, 64), (0, 200, 0))
    heif = pillow_heif.from_pillow(picture)
    heif.save(
        tmp_path / "a.heic", quality=-1, chroma=444, color_primaries=12, transfer_characteristics=13
    )
    heif.save(tmp_path / "plain.heic", quality=-1, chroma=444)
    expected = in_srgb(srgb_decoded(np.array([0, 200, 0]) / 255), P3)
    p3, plain = (pixels(open_image(tmp_path / name))[8, 8] for name in ("a.heic", "plain.heic"))
    np.testing.assert_allclose(p3, expected, atol=0.012)
    np.testing.assert_allclose(plain, np.array([0, 200, 0]) / 255, atol=0.012)


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 13), (1, 1), (2, 2), (1, 6), (2, 13)])
def test_code_points_of_srgb_and_of_nothing_change_no_sample(primaries: int, transfer: int) -> None:
    before = row(png())
    np.testing.assert_array_equal(row(png(cicp(primaries, transfer))), before)
    with_box, without = row(avif(primaries, transfer)), row(avif(1, 13))
    np.testing.assert_array_equal(with_box, without)


def pq(light: float) -> float:
    """BT.2100: the code of light in cd/m2."""
    power = (light / 10000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def hlg(light: float) -> float:
    """BT.2100: the code of light in cd/m2 on a display of 1000 cd/m2."""
    scene = (light / 1000) ** (1 / 1.2)
    if scene <= 1 / 12:
        return float((3 * scene) ** 0.5)
    return float(0.17883277 * np.log(12 * scene - 0.28466892) + 0.55991073)


@pytest.mark.parametrize(("transfer", "encode"), [(16, pq), (18, hlg)])
def test_hdr_is_brought_to_sdr(transfer: int, encode: Callable[[float], float]) -> None:
    lights = [0.0, 1.0, 20.0, 100.0, 150.0, 203.0, 400.0, 1000.0]
    codes = np.repeat(np.array([[encode(light)] for light in lights]), 3, axis=1)
    result = row(png(cicp(9, transfer), colors=codes, bits=16))
    light = srgb_decoded(result[:, 0].astype(float))
    # Up to three quarters of diffuse white (203 cd/m2) as it is; white and above rolled off.
    np.testing.assert_allclose(light[:5], np.array(lights[:5]) / 203, atol=0.002)
    assert 0.85 < light[5] < 0.9 < light[6] < 0.97
    assert light[7] == pytest.approx(1, abs=1e-3)
    assert (np.diff(light) > 0).all()
    assert np.ptp(result, axis=1).max() < 1e-3  # grey stays grey


def test_samples_of_narrow_range_are_spread() -> None:
    for bits, unit in ((8, 1), (16, 256)):
        codes = np.array([[16] * 3, [126] * 3, [235] * 3, [5] * 3]) * unit / (2**bits - 1)
        result = row(png(cicp(1, 13, full_range=0), colors=codes, bits=bits))
        np.testing.assert_allclose(result[:, 1], [0, 110 / 219, 1, 0], atol=0.004)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("gamma", "chromaticities"),
    [(1 / 1.8, None), (1.0, None), (1 / 2.8, P3), (None, P3), (0.45455, P3), (1.0, BT2020)],
)
def test_gamma_and_chromaticities_of_a_png_are_applied(
    gamma: float | None, chromaticities: tuple[float, ...] | None, bits: int, tmp_path: Path
) -> None:
    chunks = [] if gamma is None else [gama(gamma)]
    chunks += [] if chromaticities is None else [chrm(chromaticities)]
    linear = srgb_decoded(COLORS) if gamma is None else COLORS ** (1 / gamma)
    expected = in_srgb(linear, chromaticities or SRGB)
    path = tmp_path / "a.png"
    path.write_bytes(png(*chunks, bits=bits))
    tolerance = 0.012 if bits == 8 else 0.0015
    np.testing.assert_allclose(pixels(open_image(path))[0], expected, atol=tolerance)
    if bits == 8:
        loaded = PIL.Image.open(path)
        loaded.load()
        np.testing.assert_allclose(pixels(open_image(loaded))[0], expected, atol=tolerance)


def test_gamma_of_grey_and_of_palettes(tmp_path: Path) -> None:
    deep = gradient(16, 1)
    files: dict[str, tuple[bytes, NDArray[Any]]] = {}
    for name, picture, values in (
        ("gray", PIL.Image.fromarray(GRAY), GRAY[..., None] / 255),
        ("palette", PIL.Image.fromarray(RGB).quantize(16), None),
        ("deep", PIL.Image.fromarray(deep[..., 0]), deep / 65535),
    ):
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        data = stream.getvalue()
        if values is None:
            values = np.asarray(picture.convert("RGB")) / 255
        files[name] = data[:33] + gama(1.0) + data[33:], values
    for data, values in files.values():
        (tmp_path / "a.png").write_bytes(data)
        expected = in_srgb(np.broadcast_to(values, (*values.shape[:2], 3)), SRGB)
        np.testing.assert_allclose(pixels(open_image(tmp_path / "a.png")), expected, atol=0.008)


@pytest.mark.parametrize(
    "chunks",
    [
        (gama(0.45455),),
        (gama(0.45455), chrm(SRGB)),
        (gama(0.45),),
        (chrm(SRGB),),
        (gama(1.0), png_chunk(b"sRGB", b"\0"), chrm(P3)),
        (cicp(1, 13), iccp(adobe_rgb()), gama(1.0)),
    ],
)
@pytest.mark.parametrize("bits", [8, 16])
def test_what_says_srgb_leaves_every_sample_as_it_is(chunks: tuple[bytes, ...], bits: int) -> None:
    image = open_image(io.BytesIO(png(*chunks, bits=bits)))
    highest = 2**bits - 1
    np.testing.assert_array_equal(image.to_numpy()[0], np.rint(COLORS * highest))
    np.testing.assert_array_equal(pixels(image)[0], np.float32(np.rint(COLORS * highest)) / highest)


def test_the_first_answer_counts() -> None:
    by_profile = row(png(iccp(adobe_rgb())))
    np.testing.assert_array_equal(
        row(png(iccp(adobe_rgb()), png_chunk(b"sRGB", b"\0"), gama(1.0), chrm(P3))), by_profile
    )
    np.testing.assert_array_equal(row(png(cicp(2, 2), iccp(adobe_rgb()))), by_profile)
    by_cicp = row(png(cicp(12, 13)))
    np.testing.assert_array_equal(row(png(cicp(12, 13), iccp(adobe_rgb()), gama(1.0))), by_cicp)
    assert np.abs(by_profile - by_cicp).max() > 0.01


def test_in_an_avif_a_profile_counts_before_code_points() -> None:
    samples = PIL.Image.new("RGB", (16, 16), (100, 150, 80))
    stream = io.BytesIO()
    samples.save(stream, "AVIF", quality=100, subsampling="4:4:4", icc_profile=adobe_rgb())
    data = stream.getvalue()
    at = data.index(b"nclx")
    changed = data[: at + 4] + struct.pack(">2H", 9, 8) + data[at + 8 :]
    np.testing.assert_array_equal(row(changed), row(data))
    # The decoder's own numbers are those of the box.
    assert np.abs(row(data) - np.array([100, 150, 80]) / 255).max() > 0.05


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        (gama(0), "gAMA chunk says 0.0"),
        (gama(4000), "gAMA chunk says 4000"),
        (chrm((0.3, 0.0, *SRGB[2:])), "cHRM chunk says"),
        (chrm((*D65, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5)), "cHRM chunk says"),
        (chrm((0.8, 0.1, *SRGB[2:])), "cHRM chunk says"),
        (cicp(1, 13, matrix=1), "matrix coefficients 1"),
        (cicp(3, 13), "code points 3 and 13"),
        (cicp(1, 200), "code points 1 and 200"),
    ],
)
@pytest.mark.parametrize("bits", [8, 16])
def test_what_makes_no_sense_is_ignored_with_a_warning(chunk: bytes, words: str, bits: int) -> None:
    with pytest.warns(PictureWarning, match=f"{words}.*ignored"):
        result = row(png(chunk, bits=bits))
    np.testing.assert_array_equal(result, row(png(bits=bits)))


def test_reserved_code_points_of_an_avif_are_ignored_with_a_warning() -> None:
    data = avif(12, 13)
    at = data.index(b"nclx")
    changed = data[: at + 4] + struct.pack(">2H", 12, 99) + data[at + 8 :]
    with pytest.warns(PictureWarning, match="nclx box has the code points 12 and 99"):
        np.testing.assert_array_equal(row(changed), row(avif(1, 13)))


@pytest.mark.filterwarnings("ignore")
def test_broken_boxes_of_an_avif_stop_nothing() -> None:
    data = avif(12, 13)
    generator = np.random.default_rng(0)
    assert nclx_of(data) == (12, 13)
    for _ in range(300):
        damaged = bytearray(data)
        for at in generator.integers(0, min(len(data), 500), 4):
            damaged[at] = generator.integers(256)
        nclx_of(bytes(damaged))
    for end in range(len(data)):
        assert nclx_of(data[:end]) in (None, (12, 13))


def adobe_exif(space: int, index: str | None) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    inner: dict[int, Any] = {0xA001: space}
    if index is not None:
        inner[0xA005] = {1: index}
    exif[0x8769] = inner
    return exif


@pytest.mark.parametrize(
    ("space", "index", "adobe"),
    [
        (0xFFFF, "R03", True),
        (2, None, True),
        (1, "R03", False),
        (1, "R98", False),
        (0xFFFF, None, False),
    ],
)
@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.png"])
def test_adobe_rgb_as_cameras_say_it(
    space: int, index: str | None, adobe: bool, name: str, tmp_path: Path
) -> None:
    picture = PIL.Image.new("RGB", (16, 16), (102, 153, 77))
    options: dict[str, Any] = {"lossless": True} if name == "a.webp" else {"quality": 100}
    picture.save(tmp_path / name, exif=adobe_exif(space, index), **options)
    color = np.array([102, 153, 77]) / 255
    primaries = (*D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    expected = in_srgb(color**2.19921875, primaries) if adobe else color
    for source in (tmp_path / name, PIL.Image.open(tmp_path / name)):
        np.testing.assert_allclose(pixels(open_image(source))[8, 8], expected, atol=0.012)


def test_exif_says_nothing_of_inks(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    inks = PIL.Image.new("CMYK", (16, 16), (20, 90, 150, 10))
    inks.save(path)
    plain = open_image(path).to_numpy()
    inks.save(path, exif=adobe_exif(2, "R03"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(open_image(path).to_numpy(), plain)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_color_tags_of_a_tiff_are_applied(bits: int, channels: int, tmp_path: Path) -> None:
    highest = 2**bits - 1
    samples = np.rint(COLORS[None] * highest).astype(np.uint8 if bits == 8 else np.uint16)
    table = np.rint((np.arange(2**bits) / highest) ** 1.8 * 65535).astype(np.uint16)
    rationals = [number for value in P3 for number in (round(value * 10**6), 10**6)]
    tags = [
        (318, 5, 2, rationals[:4], True),
        (319, 5, 6, rationals[4:], True),
        (301, 3, channels * 2**bits, np.tile(table, channels).tolist(), True),
    ]
    path = tmp_path / "a.tif"
    tolerance = 0.012 if bits == 8 else 0.0015
    tifffile.imwrite(path, samples, photometric="rgb", extratags=tags)
    result = pixels(open_image(path))[0]
    np.testing.assert_allclose(result, in_srgb(COLORS**1.8, P3), atol=tolerance)
    tifffile.imwrite(path, samples, photometric="rgb", extratags=tags[:2])
    result = pixels(open_image(path))[0]
    np.testing.assert_allclose(result, in_srgb(srgb_decoded(COLORS), P3), atol=tolerance)


def test_results_of_impasto_come_back_as_they_were(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        open_image(RGB).save(tmp_path / name)
        np.testing.assert_array_equal(open_image(tmp_path / name).to_numpy(), RGB)
