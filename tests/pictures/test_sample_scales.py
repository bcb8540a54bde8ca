"""One rule of scales for files, Pillow pictures, arrays and tensors."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
import torch
from numpy.typing import NDArray

from impasto.errors import PictureError
from impasto.pictures.image import open_image
from support.picture_files import one_row_tiff, pixels, png_chunk


def _tiff(samples: NDArray[Any], **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, photometric=options.pop("photometric", "rgb"), **options)
    stream.seek(0)
    return stream


def _gray(samples: NDArray[Any]) -> PIL.Image.Image:
    """The red samples as Pillow's mode F, the only one with floats."""
    return PIL.Image.fromarray(samples[..., 0].astype(np.float32))


FLOATS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "tiff32": lambda a: _tiff(a.astype(np.float32)),
    "tiff64": _tiff,
    "tiff16": lambda a: _tiff(a.astype(np.float16), byteorder=">"),
    "pillow": _gray,
    "array": lambda a: a,
    "half array": lambda a: a.astype(np.float16),
    "big-endian array": lambda a: a.astype(">f4"),
    "tensor": lambda a: torch.from_numpy(a).permute(2, 0, 1),
    "half tensor": lambda a: torch.from_numpy(a).permute(2, 0, 1).half(),
    "bfloat16 tensor": lambda a: torch.from_numpy(a).permute(2, 0, 1).bfloat16(),
}


def _ramp(lowest: float, highest: float) -> NDArray[np.float64]:
    """(6, 8, 3), three equal channels."""
    return np.repeat(np.linspace(lowest, highest, 48).reshape(6, 8, 1), 3, 2)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize(("lowest", "highest"), [(0, 1), (0, 1.04), (-0.03, 0.5), (-0.14, 1.14)])
def test_floats_a_little_outside_are_clamped(kind: str, lowest: float, highest: float) -> None:
    ramp = _ramp(lowest, highest)
    image = open_image(FLOATS[kind](ramp))
    tolerance = 0.004 if "bfloat" in kind else 0.0006 if "16" in kind or "half" in kind else 1e-5
    np.testing.assert_allclose(pixels(image), ramp.clip(0, 1), rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize(
    ("lowest", "highest", "found"),
    [
        (0, 4, "from 0 to 4"),  # high dynamic range
        (0, 1.25, r"from 0 to 1\.25"),
        (0, 255, "from 0 to 255;.*divide 0..255 by 255"),
        (0, 20000, r"from 0 to (20000|19968|2e\+04)"),
        (-1, 1, r"from -1 to 1;.*\(x \+ 1\) / 2"),
        (-2.125, 2.5, r"from -2\.125 to 2\.5"),
        (-0.5, 0.5, r"from -0\.5"),
    ],
)
def test_floats_far_outside_are_refused(
    kind: str, lowest: float, highest: float, found: str
) -> None:
    with pytest.raises(PictureError, match=f"float samples run {found}") as caught:
        open_image(FLOATS[kind](_ramp(lowest, highest)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(kind: str, value: float) -> None:
    ramp = _ramp(0, 1)
    ramp[2, 3] = value
    with pytest.raises(PictureError, match=r"of \d+ samples are NaN or infinite"):
        open_image(FLOATS[kind](ramp))


def test_floats_beyond_float32_are_refused_with_their_range() -> None:
    for source in (_ramp(0, 1) * 1e300, _tiff(_ramp(0, 1) * 1e300)):
        with pytest.raises(PictureError, match=r"from 0 to 1e\+300"):
            open_image(source)


def test_a_dark_picture_stays_dark() -> None:
    for source in (np.full((4, 4, 3), 2, np.uint16), _tiff(np.full((4, 4, 3), 2, np.uint16))):
        np.testing.assert_allclose(pixels(open_image(source)), 2 / 65535, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.complex64])
def test_a_tiff_of_samples_without_scale_is_refused(dtype: Any) -> None:
    with pytest.raises(PictureError, match=f"samples of type {np.dtype(dtype)} in a TIFF"):
        open_image(_tiff(np.ones((4, 4, 3), dtype)))


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_wide_integers_fill_their_range(dtype: Any) -> None:
    highest = np.iinfo(dtype).max
    samples = np.array([0, highest // 3, highest], dtype).reshape(1, 3, 1).repeat(3, 2)
    found = pixels(open_image(_tiff(samples)))[0, :, 0]
    np.testing.assert_allclose(found, [0, 1 / 3, 1], rtol=0, atol=1e-5)


def _packed_gray(bits: int, values: list[int], photometric: int = 1) -> io.BytesIO:
    """Samples of ``bits`` bits without gaps between them, the first bit first."""
    packed = int("".join(f"{value:0{bits}b}" for value in values), 2)
    length = -(-bits * len(values) // 8)
    row = (packed << (8 * length - bits * len(values))).to_bytes(length, "big")
    return one_row_tiff(bits, row, len(values), t262=(photometric,))


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("photometric", [0, 1])
def test_the_bits_of_packed_samples_are_their_scale(bits: int, photometric: int) -> None:
    highest = 2**bits - 1
    values = [0, 1, highest // 2, highest - 1, highest, 5, 6, 7]
    expected = np.array(values) / highest
    expected = expected if photometric else 1 - expected
    found = pixels(open_image(_packed_gray(bits, values, photometric)))[0, :, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_bits_whose_byte_order_is_not_heeded_are_refused() -> None:
    with pytest.raises(PictureError, match="a TIFF of 24 bits a sample"):
        open_image(one_row_tiff(24, bytes([0, 0, 0, 0, 0, 128, 255, 255, 255]), 3))


@pytest.mark.parametrize("scale", [1, 257])
def test_a_palette_of_8_bits_in_16_is_not_black(scale: int) -> None:
    grays = [0, 10, 100, 255] + [0] * 252
    colors = tuple(scale * value for value in 3 * grays)
    stream = one_row_tiff(8, bytes([0, 1, 2, 3]), 4, t262=(3,), t320=colors)
    expected = np.array(grays[:4]) / 255
    np.testing.assert_allclose(pixels(open_image(stream))[0, :, 0], expected, rtol=1e-6)
    with PIL.Image.open(stream) as picture:
        np.testing.assert_allclose(pixels(open_image(picture))[0, :, 1], expected, rtol=1e-6)


def test_twelve_bits_that_pillow_opened_are_no_dark_picture() -> None:
    values = [0, 4095, 2048, 100]
    with PIL.Image.open(_packed_gray(12, values)) as picture:
        assert np.asarray(picture).max() == 4095
        found = pixels(open_image(picture))[0, :, 0]
    np.testing.assert_allclose(found, np.array(values) / 4095, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_white_as_zero_that_pillow_opened_is_no_negative(dtype: Any) -> None:
    white = 65535 if dtype == np.uint16 else 1
    stream = _tiff((_ramp(0, 1)[..., 0] * white).astype(dtype), photometric="miniswhite")
    by_file = open_image(stream)
    with PIL.Image.open(stream) as picture:
        by_pillow = open_image(picture)
    for image in (by_file, by_pillow):
        np.testing.assert_allclose(pixels(image), 1 - _ramp(0, 1), rtol=0, atol=2e-5)


def test_mode_i_has_16_bits_or_is_refused() -> None:
    def of(*values: int) -> PIL.Image.Image:
        return PIL.Image.fromarray(np.array([values], np.int32))

    np.testing.assert_allclose(
        pixels(open_image(of(0, 256, 65535)))[0, :, 0], [0, 256 / 65535, 1], rtol=1e-6
    )
    assert float(open_image(of(0, 0)).pixels.max()) == 0
    for values, message in (
        ((-1, 5), "from -1 to 5"),
        ((0, 65536), "from 0 to 65536"),
        ((0, 255), r'white is 255, give convert\("L"\)'),
    ):
        with pytest.raises(PictureError, match=message):
            open_image(of(*values))
    with pytest.raises(PictureError, match="if white is 255"):
        open_image(PIL.Image.new("L", (4, 4), 200).convert("I"))
    with pytest.raises(PictureError, match="float samples run from 200 to 200"):
        open_image(PIL.Image.new("L", (4, 4), 200).convert("F"))


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.int32])
def test_mode_i_of_a_tiff_is_refused(dtype: Any) -> None:
    stream = _tiff(np.full((4, 4), 300, dtype), photometric="minisblack")
    with (
        PIL.Image.open(stream) as picture,
        pytest.raises(PictureError, match="Pillow reads TIFF of more than 8 bits without"),
    ):
        open_image(picture)


@pytest.mark.parametrize("compression", ["zlib", "lzw"])
@pytest.mark.parametrize("kind", ["deep", "gray", "float"])
def test_tiffs_whose_bytes_pillow_mixes_up_are_refused(kind: str, compression: str) -> None:
    samples: dict[str, NDArray[Any]] = {
        "deep": np.full((3, 4, 5), 300, np.uint16),
        "gray": np.full((2, 4, 5), 90, np.uint8),
        "float": np.ones((4, 5), np.float32),  # black, to Pillow
    }
    stream = _tiff(
        samples[kind],
        photometric="rgb" if kind == "deep" else "minisblack",
        planarconfig=None if kind == "float" else "separate",
        extrasamples=["unassalpha"] if kind == "gray" else None,
        compression=compression,
        byteorder=">",
    )
    assert open_image(stream).pixels.max() > 0
    with (
        PIL.Image.open(stream) as picture,
        pytest.raises(PictureError, match="Pillow mixes up the bytes"),
    ):
        open_image(picture)


@pytest.mark.parametrize("maxval", [255, 1000, 4095, 65535])
def test_pgm_of_every_depth(maxval: int) -> None:
    """Dark ones, too: their maximum is stated, so that nothing is ambiguous."""
    for values in ([0, maxval // 2, maxval], [0, 1, 2]):
        data = np.array(values, ">u2" if maxval > 255 else "u1").tobytes()
        with PIL.Image.open(io.BytesIO(b"P5 3 1 %d\n" % maxval + data)) as picture:
            found = pixels(open_image(picture))[0, :, 0]
        step = 255 if maxval == 255 else 65535
        np.testing.assert_allclose(found, np.array(values) / maxval, rtol=0, atol=0.51 / step)


def test_fits_that_pillow_reads_in_the_wrong_order_is_refused() -> None:
    cards = ["SIMPLE  =                    T", "BITPIX  =                  -32"]
    cards += ["NAXIS   =                    2", "NAXIS1  =                    2"]
    cards += ["NAXIS2  =                    1", "END"]
    head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    data = np.array([0.25, 0.5], ">f4").tobytes().ljust(2880, b"\0")
    with (
        PIL.Image.open(io.BytesIO(head + data)) as picture,
        pytest.raises(PictureError, match="Pillow reads FITS"),
    ):
        open_image(picture)


def test_jpeg_2000_in_which_pillow_turns_white_into_black_is_refused() -> None:
    deep = np.full((4, 4, 3), 65535, np.uint16)
    encoded = imagecodecs.jpeg2k_encode(deep, level=0, reversible=True)
    with PIL.Image.open(io.BytesIO(encoded)) as picture:
        with pytest.raises(PictureError, match="Pillow turns white into black"):
            open_image(picture)
        assert np.asarray(picture).max() == 0  # or Pillow has been mended, and the check can go
    for samples, white in ((deep[..., 0], 65535), ((deep >> 8).astype(np.uint8), 255)):
        encoded = imagecodecs.jpeg2k_encode(samples, level=0, reversible=True)
        with PIL.Image.open(io.BytesIO(encoded)) as picture:
            assert float(open_image(picture).pixels.min()) == 1, white


def _png(bits: int, row: bytes, transparent: int) -> io.BytesIO:
    """Grey, four pixels wide, one of whose greys is transparent."""
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 1, bits, 0, 0, 0, 0))
        + png_chunk(b"tRNS", struct.pack(">H", transparent))
        + png_chunk(b"IDAT", zlib.compress(b"\0" + row))
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("bits", "row", "values"),
    [
        (2, b"\x1b", [0, 1, 2, 3]),
        (4, b"\x01\x7f", [0, 1, 7, 15]),
        (8, b"\0\x01\x64\xff", [0, 1, 100, 255]),
        (16, struct.pack(">4H", 0, 1, 30000, 65535), [0, 1, 30000, 65535]),
    ],
)
def test_a_transparent_grey_of_every_depth(bits: int, row: bytes, values: list[int]) -> None:
    image = open_image(_png(bits, row, 1))
    assert image.alpha is not None
    assert image.alpha[0, 0, 0].tolist() == [1, 0, 1, 1]
    found = pixels(image)[0, :, 0]
    np.testing.assert_allclose(found[[0, 2, 3]], np.array(values)[[0, 2, 3]] / (2**bits - 1))
    with PIL.Image.open(_png(bits, row, 1)) as picture:
        if bits < 8:
            with pytest.raises(PictureError, match="Pillow loses which colour"):
                open_image(picture)
            return
        by_pillow = open_image(picture)
    assert by_pillow.alpha is not None
    assert torch.equal(by_pillow.alpha, image.alpha)
    assert torch.equal(by_pillow.pixels, image.pixels)


def test_alpha_of_a_tiff_keeps_its_value() -> None:
    gray_alpha = np.array([[[100, 51], [200, 255]]], np.uint8)
    for kind, photometric, expected in (
        ("unassalpha", "miniswhite", [155 / 255, 55 / 255]),
        ("unassalpha", "minisblack", [100 / 255, 200 / 255]),
    ):
        image = open_image(
            _tiff(gray_alpha, photometric=photometric, extrasamples=[kind], planarconfig="contig")
        )
        assert image.alpha is not None
        np.testing.assert_allclose(image.alpha[0, 0, 0], [0.2, 1], rtol=1e-6)
        np.testing.assert_allclose(pixels(image)[0, :, 0], expected, rtol=1e-6)


def test_alpha_is_found_behind_another_channel() -> None:
    samples = np.full((4, 4, 5), (10, 20, 30, 99, 51), np.uint8)
    image = open_image(
        _tiff(samples, planarconfig="contig", extrasamples=["unspecified", "unassalpha"])
    )
    assert image.alpha is not None
    np.testing.assert_allclose(image.alpha, 0.2, rtol=1e-6)


def test_premultiplied_floats_keep_their_precision_where_alpha_is_small() -> None:
    straight = np.array([0.2, 0.5, 0.9])
    alpha = np.array([0.001, 1.0]).reshape(1, 2, 1)
    samples = np.concatenate([straight * alpha, alpha], 2).astype(np.float32)
    image = open_image(_tiff(samples, extrasamples=["assocalpha"]))
    np.testing.assert_allclose(
        pixels(image), np.broadcast_to(straight, (1, 2, 3)), rtol=0, atol=1e-5
    )


def test_channels_without_a_meaning_are_not_guessed() -> None:
    stream = _tiff(np.ones((3, 8, 8), np.uint8), photometric="minisblack", planarconfig="separate")
    with pytest.raises(PictureError, match="grey and 2 more channels of no stated meaning"):
        open_image(stream)


def test_float_lab_is_refused() -> None:
    with pytest.raises(PictureError, match="CIELAB samples of type float32"):
        open_image(_tiff(np.full((4, 4, 3), 0.5, np.float32), photometric="cielab"))
