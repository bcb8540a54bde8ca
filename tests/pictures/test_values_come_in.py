"""The value that goes in is the value that comes in, within its precision, or it is refused.

Every expected value is computed here, from the samples that were written, by their definition in
the format: nothing of impasto and no library says what a file holds. Together the tests write and
open more than 400 files.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL
import PIL.Image
import pytest
import tifffile
import torch
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from impasto.errors import ImpastoError
from impasto.pictures.image import Image, open_image
from support.picture_files import png_chunk

Floats = NDArray[np.float64]

STEP = {8: 1 / 255, 16: 1 / 65535}
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
SEEDS = st.integers(0, 2**32 - 1)
# Lowest and highest value of floats.
RANGES = {
    "whole": (0.0, 1.0),
    "dark": (0.0, 0.003),
    "overshoot": (-0.1, 1.1),
    "bytes": (0.0, 255.0),
    "counts": (0.0, 40000.0),
    "hdr": (0.0, 6.0),
    "signed": (-1.0, 1.0),
    "normalised": (-2.0, 2.5),
}
SLIGHT = 0.15  # docs/formats.md


def files(count: int) -> settings:
    """The same files in every run."""
    return settings(max_examples=count, derandomize=True, deadline=None, database=None)


@dataclass
class Expected:
    """What a source holds: (H, W, 3) and (H, W), 0..1, and how far it may be from that."""

    color: Floats
    alpha: Floats | None
    tolerance: float


def check(source: Any, expected: Expected | None) -> Image | None:
    """A source comes in as it should; None says that it must be refused."""
    if expected is None:
        with pytest.raises(ImpastoError) as caught:
            open_image(source)
        assert "\n" not in str(caught.value)
        return None
    image = open_image(source)
    found = image.pixels[0].permute(1, 2, 0).numpy().astype(np.float64)
    alpha = np.ones(found.shape[:2]) if expected.alpha is None else expected.alpha
    opened = np.ones(found.shape[:2]) if image.alpha is None else image.alpha[0, 0].numpy()
    assert found.shape == (*alpha.shape, 3)
    assert np.abs(opened - alpha).max() <= expected.tolerance + 1e-6
    # Colours that nobody sees are replaced.
    far = np.abs(found - expected.color).max(2) * (opened > 0)
    assert far.max() <= expected.tolerance + 1e-6
    return image


def integers(rng: np.random.Generator, shape: tuple[int, ...], highest: int) -> NDArray[np.uint64]:
    """Samples in all of their range, the ends often."""
    drawn = rng.integers(0, highest, shape, np.uint64, endpoint=True)
    ends = rng.choice(np.array([0, 1, highest // 2, highest], np.uint64), shape)
    return np.where(rng.random(shape) < 0.3, ends, drawn)


def floats(rng: np.random.Generator, shape: tuple[int, ...], within: str) -> Floats:
    """Samples that reach both ends of a range."""
    lowest, highest = RANGES[within]
    samples = rng.uniform(lowest, highest, shape)
    samples.flat[0], samples.flat[-1] = lowest, highest
    return samples


def are_samples(values: NDArray[Any]) -> bool:
    """Whether floats are 0..1, or a little outside."""
    return bool(np.isfinite(values).all() and (abs(values - 0.5) <= 0.5 + SLIGHT).all())


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


@files(120)
@given(SIZES, SEEDS, st.sampled_from(["I;16", "I;16B", "I", "F", "L", "RGB", "RGBA", "LA", "1"]))
def test_pillow_modes(size: tuple[int, int], seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    if mode == "F":
        within = rng.choice([*RANGES])
        samples = floats(rng, (*size, 1), within).astype("<f4")
        clipped = samples.clip(0, 1).astype(np.float64)
        values: Floats | None = clipped if are_samples(samples) else None
    elif mode == "I":
        highest = int(rng.choice([255, 4095, 65535, 70000]))
        samples = rng.integers(0, highest, (*size, 1), endpoint=True).astype("<i4")
        samples[0, 0] = highest
        values = samples / 65535 if 255 < highest <= 65535 else None
    else:
        white = 65535 if mode.startswith("I") else 255
        drawn = integers(rng, (*size, len(mode) if white == 255 else 1), white)
        drawn = (drawn > 127) * np.uint64(255) if mode == "1" else drawn
        types = {"I;16": "<u2", "I;16B": ">u2"}
        samples, values = drawn.astype(types.get(mode, "u1")), drawn / white
    if mode == "1":
        picture = PIL.Image.fromarray(samples[..., 0]).convert("1")
    else:
        picture = PIL.Image.frombytes(mode, (size[1], size[0]), samples.tobytes())
    if values is None:
        check(picture, None)
        return
    has_alpha = mode in ("LA", "RGBA")
    color = values[..., :-1] if has_alpha else values
    alpha = values[..., -1] if has_alpha else None
    tolerance = STEP[16] * 0.51 if mode == "F" else 0.0
    check(picture, Expected(np.broadcast_to(color, (*size, 3)), alpha, tolerance))


DTYPES = ["u1", "<u2", ">u2", "?", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "g"]
REFUSED_DTYPES = ["i1", "i2", "<i4", "i8", "<u4", "u8", "c8", "O", "M8[s]"]


@files(200)
@given(
    SIZES,
    SEEDS,
    st.sampled_from(DTYPES + REFUSED_DTYPES),
    st.sampled_from([None, 1, 3, 4]),
    st.sampled_from([*RANGES, "whole", "dark", "overshoot"]),
    st.sampled_from(["C", "F", "reversed", "strided", "read-only"]),
    st.booleans(),
)
def test_arrays_and_tensors(
    size: tuple[int, int],
    seed: int,
    dtype: str,
    channels: int | None,
    within: str,
    layout: str,
    as_tensor: bool,
) -> None:
    rng = np.random.default_rng(seed)
    shape = (*size, channels or 1)
    kind = np.dtype(dtype)
    white = {"?": 1, "u1": 255, "<u2": 65535, ">u2": 65535}.get(dtype, 1)
    is_float = kind.kind == "f"
    samples = floats(rng, shape, within) if is_float else integers(rng, shape, white)
    array = _laid_out(samples.astype(kind), layout)
    values = array.astype(np.float64).clip(0, white) / white if dtype in DTYPES else None
    if values is None or (is_float and not are_samples(array)):
        expected = None
    else:
        alpha = values[..., 3] if channels == 4 else None
        expected = Expected(np.broadcast_to(values[..., :3], (*size, 3)), alpha, 0.0)
    check(array[..., 0] if channels is None else array, expected)
    if as_tensor and kind.kind in "fui?" and kind.isnative and dtype != "g" and kind.itemsize < 8:
        check(torch.from_numpy(array.copy()).permute(2, 0, 1), expected)
    if as_tensor and is_float and expected is not None:
        expected.tolerance = 2.0**-8
        small = torch.from_numpy(array.astype(np.float32)).bfloat16().permute(2, 0, 1)
        if expected.alpha is None:
            check(small, expected)


def _laid_out(array: NDArray[Any], layout: str) -> NDArray[Any]:
    """The same values in another order in memory."""
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "reversed":
        return array[::-1, ::-1].copy()[::-1, ::-1]
    if layout == "strided":
        return np.repeat(np.repeat(array, 2, 0), 3, 1)[::2, ::3]
    if layout == "read-only":
        array.flags.writeable = False
    return array
