"""The value that goes in is the value that comes in, within its precision, or it is refused.

Every expected value is computed here, from the samples that were written, by their definition in
the format: nothing of impasto and no library says what a file holds. Together the tests write and
open 500 files; `test_values_of_objects` does the same with what is in memory.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import PIL
import PIL.Image
import tifffile
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.pictures.image import open_image
from support.expected_pictures import (
    RANGES,
    SEEDS,
    SIZES,
    STEP,
    Expected,
    Floats,
    are_samples,
    check,
    files,
    floats,
    integers,
)
from support.picture_files import png_chunk

# TIFF ---------------------------------------------------------------------------------------

EXTRAS = {"gray": 0, "gray+alpha": 1, "rgb": 0, "rgb+alpha": 1, "rgb+other": 1}
COMPRESSIONS = [None, "lzw", "zlib", "zstd", "packbits", "lzma"]
TIFFS = st.fixed_dictionaries(
    {
        "size": SIZES,
        "seed": SEEDS,
        "dtype": st.sampled_from(["u1", "u2", "u4", "u8", "f2", "f4", "f8"]),
        "within": st.sampled_from([*RANGES, "whole", "dark", "overshoot", "nan", "inf"]),
        "channels": st.sampled_from([*EXTRAS]),
        "premultiplied": st.booleans(),
        "white_is_zero": st.booleans(),
        "byteorder": st.sampled_from("<>"),
        "separate": st.booleans(),
        "storage": st.sampled_from(["strip", "strips", "tiles"]),
        "compression": st.sampled_from(COMPRESSIONS),
        "predictor": st.booleans(),
        "bigtiff": st.booleans(),
        "thumbnail": st.booleans(),
    }
)


def _samples(chosen: dict[str, Any], rng: np.random.Generator) -> NDArray[Any]:
    """(H, W, C) of the type that is chosen; where alpha comes first it is multiplied in."""
    colors = 1 if chosen["channels"].startswith("gray") else 3
    shape = (*chosen["size"], colors + EXTRAS[chosen["channels"]])
    dtype = np.dtype(chosen["dtype"])
    if dtype.kind == "u":
        return integers(rng, shape, np.iinfo(dtype).max).astype(dtype)
    within = chosen["within"]
    samples = floats(rng, shape, within if within in RANGES else "whole")
    if within in ("nan", "inf"):
        samples.flat[rng.integers(samples.size)] = float(within)
    return samples.astype(dtype)


def _tiff_expected(samples: NDArray[Any], chosen: dict[str, Any]) -> Expected | None:
    if samples.dtype.kind == "f" and not are_samples(samples):
        return None
    white = 1 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max
    values = (samples.astype(np.longdouble) / white).clip(0, 1)
    color = values[..., : 1 if chosen["channels"].startswith("gray") else 3]
    alpha = values[..., -1] if chosen["channels"].endswith("alpha") else None
    if alpha is not None and chosen["premultiplied"]:
        share = np.where(alpha > 0, alpha, 1)[..., None]
        color = np.minimum(color / share, 1)
    if chosen["white_is_zero"] and color.shape[2] == 1:
        color = 1 - color
    step = STEP[8 if samples.dtype == np.uint8 else 16]
    spread = np.broadcast_to(color, (*color.shape[:2], 3)).astype(np.float64)
    return Expected(spread, None if alpha is None else alpha.astype(np.float64), step * 0.51)


def _write_tiff(samples: NDArray[Any], chosen: dict[str, Any]) -> io.BytesIO:
    channels, gray = samples.shape[2], chosen["channels"].startswith("gray")
    kind = "assocalpha" if chosen["premultiplied"] else "unassalpha"
    kind = kind if chosen["channels"].endswith("alpha") else "unspecified"
    separate = chosen["separate"] and channels > 1
    predictor = chosen["predictor"] and chosen["compression"] not in (None, "packbits")
    predictor = predictor and samples.dtype != np.uint64  # which tifffile has none for
    options = {
        "photometric": ("miniswhite" if chosen["white_is_zero"] else "minisblack")
        if gray
        else "rgb",
        "extrasamples": [kind] if EXTRAS[chosen["channels"]] else None,
        "planarconfig": ("separate" if separate else "contig") if channels > 1 else None,
        "compression": chosen["compression"],
        "predictor": predictor,
        "tile": (16, 16) if chosen["storage"] == "tiles" else None,
        "rowsperstrip": 2 if chosen["storage"] == "strips" else None,
        "metadata": None,
    }
    stored = samples.transpose(2, 0, 1) if separate else samples
    stored = stored[..., 0] if channels == 1 else stored
    stream = io.BytesIO()
    with tifffile.TiffWriter(
        stream, byteorder=chosen["byteorder"], bigtiff=chosen["bigtiff"]
    ) as writer:
        if chosen["thumbnail"]:
            writer.write(np.full((1, 1), 77, np.uint8), subfiletype=1, metadata=None)
        writer.write(np.ascontiguousarray(stored), **options)
    return io.BytesIO(stream.getvalue())


@files(200)
@given(TIFFS)
def test_tiff(chosen: dict[str, Any]) -> None:
    samples = _samples(chosen, np.random.default_rng(chosen["seed"]))
    stream, expected = _write_tiff(samples, chosen), _tiff_expected(samples, chosen)
    check(stream, expected)
    try:
        picture = PIL.Image.open(stream)
        picture.seek(int(chosen["thumbnail"]))
    except (PIL.UnidentifiedImageError, SyntaxError):
        return
    _check_what_pillow_made_8_bits_of(picture, expected)


def _check_what_pillow_made_8_bits_of(picture: PIL.Image.Image, expected: Expected | None) -> None:
    """Pillow leaves 8 bits of 16, misreads some, and multiplies with alpha; it may be refused."""
    try:
        image = open_image(picture)
    except ImpastoError:
        return
    assert expected is not None
    found = image.pixels[0].permute(1, 2, 0).numpy()
    share = np.ones(found.shape[:2]) if expected.alpha is None else expected.alpha
    alpha = np.ones(found.shape[:2]) if image.alpha is None else image.alpha[0, 0].numpy()
    assert np.abs(alpha - share).max() <= STEP[8] + 1e-6
    far = np.abs(found - expected.color).max(2) * np.minimum(alpha, share)
    assert far.max() <= 2.5 * STEP[8]


# PNG ----------------------------------------------------------------------------------------

GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
PNG_CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGB_ALPHA: 4}
PNG_KINDS = [(GRAY, bits) for bits in (1, 2, 4, 8, 16)]
PNG_KINDS += [(PALETTE, bits) for bits in (1, 2, 4, 8)]
PNG_KINDS += [(kind, bits) for kind in (RGB, GRAY_ALPHA, RGB_ALPHA) for bits in (8, 16)]


def _png(samples: NDArray[Any], bits: int, kind: int, chunks: bytes) -> io.BytesIO:
    """A PNG of (H, W, C) samples, without filters (PNG, third edition, sections 7 and 11)."""
    height, width, _ = samples.shape
    rows = b""
    for row in samples.reshape(height, -1).tolist():
        line = "".join(f"{value:0{bits}b}" for value in row)
        line = line.ljust(-(-len(line) // 8) * 8, "0")
        rows += b"\0" + int(line, 2).to_bytes(len(line) // 8, "big")
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + chunks
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


@files(120)
@given(SIZES, SEEDS, st.sampled_from(PNG_KINDS), st.booleans())
def test_png(size: tuple[int, int], seed: int, kind: tuple[int, int], transparent: bool) -> None:
    color_type, bits = kind
    rng = np.random.default_rng(seed)
    samples = integers(rng, (*size, PNG_CHANNELS[color_type]), 2**bits - 1)
    values, chunks = samples / (2**bits - 1), b""
    alpha: Floats | None = None
    if color_type == PALETTE:
        palette = rng.integers(0, 256, (2**bits, 4))
        chunks = png_chunk(b"PLTE", palette[:, :3].astype(np.uint8).tobytes())
        values = palette[samples[..., 0].astype(int)] / 255
        if transparent:
            chunks += png_chunk(b"tRNS", palette[:, 3].astype(np.uint8).tobytes())
            alpha = values[..., 3]
    elif color_type in (GRAY_ALPHA, RGB_ALPHA):
        alpha = values[..., -1]
    elif transparent:
        key = samples[0, 0]
        chunks = png_chunk(b"tRNS", key.astype(">u2").tobytes())
        alpha = 1.0 - (samples == key).all(2)
    color = values[..., :1] if color_type in (GRAY, GRAY_ALPHA) else values[..., :3]
    color = np.broadcast_to(color, (*size, 3))
    stream = _png(samples, bits, color_type, chunks)
    image = check(stream, Expected(color, alpha, 0.0))
    assert image is not None
    assert image.bits == (16 if bits == 16 else 8)
    # Pillow makes 8 bits of 2, 4, and 16 of colours, and so loses which of them is transparent.
    lost = transparent and kind in ((GRAY, 2), (GRAY, 4), (RGB, 16))
    deep = bits == 16 and color_type != GRAY
    with PIL.Image.open(stream) as picture:
        check(picture, None if lost else Expected(color, alpha, STEP[8] if deep else 0.0))


# Netpbm, which Pillow reads -----------------------------------------------------------------


@files(80)
@given(
    SIZES,
    SEEDS,
    st.sampled_from(["P2", "P3", "P5", "P6"]),
    st.sampled_from([1, 15, 100, 254, 255, 256, 1000, 1023, 4095, 65534, 65535]),
)
def test_netpbm(size: tuple[int, int], seed: int, magic: str, highest: int) -> None:
    channels = 3 if magic in ("P3", "P6") else 1
    samples = integers(np.random.default_rng(seed), (*size, channels), highest)
    head = f"{magic} {size[1]} {size[0]} {highest}\n".encode()
    if magic in ("P2", "P3"):
        body = "\n".join(str(value) for value in samples.ravel()).encode() + b"\n"
    else:
        body = samples.astype(">u2" if highest > 255 else "u1").tobytes()
    color = np.broadcast_to(samples / highest, (*size, 3))
    deep = channels == 1 and highest > 255
    with PIL.Image.open(io.BytesIO(head + body)) as picture:
        check(picture, Expected(color, None, STEP[16 if deep else 8] * 0.51))


@files(40)
@given(SIZES, SEEDS, st.sampled_from([*RANGES]), st.sampled_from("<>"))
def test_portable_float_map(size: tuple[int, int], seed: int, within: str, order: str) -> None:
    samples = floats(np.random.default_rng(seed), size, within).astype(np.float32)
    head = f"Pf\n{size[1]} {size[0]}\n{'-' if order == '<' else ''}1.0\n".encode()
    body = samples[::-1].astype(f"{order}f4").tobytes()  # its rows go from the bottom to the top
    color = np.repeat(samples.astype(np.float64).clip(0, 1)[..., None], 3, 2)
    expected = Expected(color, None, STEP[16] * 0.51) if are_samples(samples) else None
    with PIL.Image.open(io.BytesIO(head + body)) as picture:
        check(picture, expected)


# Other files of 8 bits ----------------------------------------------------------------------


@files(60)
@given(SIZES, SEEDS, st.sampled_from(["BMP", "GIF", "WEBP", "TGA", "DDS", "SGI"]), st.booleans())
def test_other_lossless_files(
    size: tuple[int, int], seed: int, file_format: str, gray: bool
) -> None:
    gray = (gray and file_format not in ("WEBP", "DDS")) or file_format == "GIF"
    samples = integers(np.random.default_rng(seed), (*size, 1 if gray else 3), 255)
    array = samples.astype(np.uint8)
    stream = io.BytesIO()
    options = {"lossless": True} if file_format == "WEBP" else {}
    PIL.Image.fromarray(array[..., 0] if gray else array).save(stream, file_format, **options)
    stream.seek(0)
    expected = Expected(np.broadcast_to(samples / 255, (*size, 3)), None, 0.0)
    if file_format in ("BMP", "GIF", "WEBP"):
        check(stream, expected)
    with PIL.Image.open(stream) as picture:
        check(picture, expected)


# Pillow pictures, arrays and tensors --------------------------------------------------------
