"""Files that lack an end mark alone come in; files that lack a single pixel do not."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile
from numpy.typing import NDArray

from impasto.errors import PictureError, PictureWarning
from impasto.pictures.image import open_image
from support.picture_files import gradient, png_chunk

NOISE = np.random.default_rng(0).integers(0, 256, (13, 19, 3), dtype=np.uint8)
FLAT = np.full((13, 19, 3), (200, 100, 50), np.uint8)
SMOOTH = gradient()[:13, :19].copy()

JPEGS: dict[str, dict[str, Any]] = {
    "usual": {},
    "fine": {"quality": 97, "subsampling": 0},
    "gray": {"mode": "L"},
    "inks": {"mode": "CMYK"},
    "own tables": {"optimize": True},
    "restarts": {"restart_marker_blocks": 2},
    "progressive": {"progressive": True},
    "progressive, gray": {"progressive": True, "mode": "L"},
    "progressive, restarts": {"progressive": True, "restart_marker_blocks": 3},
}


def jpeg(samples: NDArray[Any], *, mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(samples).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def come_in(data: bytes) -> NDArray[Any] | None:
    """The samples; None where the file is refused."""
    try:
        return open_image(io.BytesIO(data)).to_numpy()
    except PictureError:
        return None


@pytest.mark.filterwarnings("ignore::impasto.errors.PictureWarning")
@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("picture", [NOISE, FLAT, SMOOTH], ids=["noise", "flat", "smooth"])
def test_a_jpeg_cut_anywhere_is_whole_or_refused(name: str, picture: NDArray[Any]) -> None:
    data = jpeg(picture, **JPEGS[name])
    whole = come_in(data)
    assert whole is not None
    for missing in range(1, len(data)):
        result = come_in(data[:-missing])
        assert result is None or np.array_equal(result, whole), missing
        if missing <= 2 and name != "inks":
            assert result is not None, missing
    # Filled up with zeros, as recovered files are: the zeros are no pixels.
    for missing in (1, 2, 3, 4, 5, 9, 17, 33, 65, 129):
        for zeros in (max(missing, 2), 4096):
            result = come_in(data[:-missing] + bytes(zeros))
            assert result is None or np.array_equal(result, whole), missing


def test_a_jpeg_without_its_end_mark_comes_in_with_a_warning(tmp_path: Path) -> None:
    data = jpeg(NOISE)
    path = tmp_path / "a.jpg"
    whole = come_in(data)
    for ending in (b"", b"\xff", bytes(2), bytes(500), b"\xff" * 3, b"\xff\0\0"):
        path.write_bytes(data[:-2] + ending)
        with pytest.warns(PictureWarning, match="a.jpg: the JPEG lacks its end mark"):
            np.testing.assert_array_equal(open_image(path).to_numpy(), whole)
    path.write_bytes(data[:-2])
    with PIL.Image.open(path) as lazy, pytest.raises(OSError, match="truncated"):
        lazy.load()  # Pillow alone refuses it


def test_a_jpeg_whose_pixels_are_missing_is_refused(tmp_path: Path) -> None:
    data = jpeg(NOISE)
    for missing in (3, 4, 10, 100):
        for ending in (b"", b"\xff", bytes(2), bytes(5000)):
            (tmp_path / "a.jpg").write_bytes(data[:-missing] + ending)
            with pytest.raises(PictureError, match="the JPEG is cut short"):
                open_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("shared_tables", [False, True])
def test_a_jpeg_in_a_tiff_is_whole_or_refused(shared_tables: bool) -> None:
    stream = io.BytesIO()
    picture = NOISE.repeat(3, 0)[:32, :16].copy()
    if shared_tables:  # as libtiff writes them
        PIL.Image.fromarray(picture).save(stream, "TIFF", compression="jpeg")
    else:
        tifffile.imwrite(stream, picture, photometric="rgb", compression="jpeg", rowsperstrip=16)
    data = stream.getvalue()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        assert bool(page.jpegtables) is shared_tables
        end = page.dataoffsets[-1] + page.databytecounts[-1]
    whole = come_in(data)
    assert whole is not None
    for missing in (2, 3, 4, 9, 40, 100):
        result = come_in(data[: end - missing] + bytes(missing) + data[end:])
        if missing == 2:
            np.testing.assert_array_equal(result, whole)
        else:
            assert result is None, missing


def test_pillow_pictures_that_are_only_opened_follow_the_rules_for_files(tmp_path: Path) -> None:
    whole, path = jpeg(NOISE), tmp_path / "a.jpg"
    path.write_bytes(whole[:-2])
    with pytest.warns(PictureWarning, match="a.jpg: the JPEG lacks its end mark"):
        image = open_image(PIL.Image.open(path))
    np.testing.assert_array_equal(image.to_numpy(), come_in(whole))
    path.write_bytes(whole[:-60] + bytes(4000))
    PIL.Image.open(path).load()  # Pillow alone reads the zeros as pixels
    with pytest.raises(PictureError, match="the JPEG is cut short"):
        open_image(PIL.Image.open(path))
    data, samples = PNGS["rgb"]
    at = next(end for kind, _, end in chunks_of(data) if kind == b"IDAT")
    path.write_bytes(data)
    np.testing.assert_array_equal(open_image(PIL.Image.open(path)).to_numpy(), samples)
    path.write_bytes(data[: at - 1] + b"?" + data[at:])
    PIL.Image.open(path).load()  # Pillow alone does not look at this checksum
    with pytest.raises(PictureError, match="checksum of a chunk 'IDAT' is wrong"):
        open_image(PIL.Image.open(path))


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["usual", "progressive"])
def test_a_jpeg_that_was_cut_and_then_ended_gives_a_warning(options: dict[str, Any]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = jpeg(noise, **options)
    cut = data[: len(data) // 2].rstrip(b"\xff")
    with pytest.warns(PictureWarning, match="seem to end before its pixels do"):
        open_image(io.BytesIO(cut + b"\xff\xd9"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for whole in (data, jpeg(FLAT, **options), jpeg(FLAT, mode="CMYK")):
            open_image(io.BytesIO(whole))


def test_what_follows_after_the_end_is_not_looked_at() -> None:
    first, second = jpeg(NOISE), jpeg(FLAT)
    stream = io.BytesIO()
    images = [PIL.Image.fromarray(FLAT)]
    PIL.Image.fromarray(NOISE).save(stream, "MPO", save_all=True, append_images=images)
    several = stream.getvalue()
    cases = {
        "junk": (first + b"junk" * 99, first),
        "zeros": (first + bytes(999), first),
        "another": (first + second[:-40], first),
        "several": (several[:-40], several),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data, whole in cases.values():
            np.testing.assert_array_equal(come_in(data), come_in(whole))


def pngs() -> dict[str, tuple[bytes, NDArray[Any]]]:
    """PNG of every depth with chunks before and after its pixels, and their samples."""
    deep = np.ascontiguousarray(gradient(16)[:13, :19])
    palette = PIL.Image.fromarray(SMOOTH).quantize(8)
    bilevel = PIL.Image.fromarray(NOISE[..., 0] > 127)
    pictures = {
        "rgb": PIL.Image.fromarray(NOISE),
        "gray": PIL.Image.fromarray(NOISE[..., 0]),
        "palette": palette,
        "bilevel": bilevel,
    }
    files = {"deep": bytes(imagecodecs.png_encode(deep))}
    for name, picture in pictures.items():
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        files[name] = stream.getvalue()
    text = png_chunk(b"tEXt", b"Comment\0before")
    after = png_chunk(b"tEXt", b"Comment\0after")
    result = {}
    for name, data in files.items():
        full = data[:33] + text + data[33:-12] + after + data[-12:]
        samples = come_in(full)
        assert samples is not None
        result[name] = full, samples
    return result


PNGS = pngs()


def chunks_of(data: bytes) -> list[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk of a PNG."""
    chunks, at = [], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], at, end))
        at = end
    return chunks


@pytest.mark.parametrize("name", PNGS)
def test_a_wrong_checksum_of_whatever_chunk_is_refused(name: str) -> None:
    data, _ = PNGS[name]
    kinds = set()
    for kind, _, end in chunks_of(data):
        kinds.add(kind)
        damaged = data[: end - 1] + bytes([data[end - 1] ^ 1]) + data[end:]
        with pytest.raises(PictureError, match=f"checksum of a chunk '{kind.decode()}' is wrong"):
            open_image(io.BytesIO(damaged))
    assert {b"IHDR", b"tEXt", b"IDAT", b"IEND"} <= kinds


@pytest.mark.parametrize("name", PNGS)
def test_a_png_cut_anywhere_is_whole_or_refused(name: str) -> None:
    data, whole = PNGS[name]
    last_pixels = max(end for kind, _, end in chunks_of(data) if kind == b"IDAT")
    for length in range(8, len(data)):
        if length < last_pixels:
            assert come_in(data[:length]) is None, length
        else:
            with pytest.warns(PictureWarning, match="ends before its last chunk"):
                np.testing.assert_array_equal(come_in(data[:length]), whole)


@pytest.mark.parametrize("name", PNGS)
def test_what_follows_after_iend_is_not_looked_at(name: str) -> None:
    data, whole = PNGS[name]
    for rest in (b"junk" * 9, data, png_chunk(b"tEXt", b"a\0b")[:-1] + b"?"):
        np.testing.assert_array_equal(come_in(data + rest), whole)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("interlaced", [False, True])
def test_pixels_that_are_too_few_in_whole_chunks_are_refused(bits: int, interlaced: bool) -> None:
    # A PNG of several IDAT chunks that ends between two of them, and one that hides it by IEND.
    samples = gradient(bits)
    rows = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in samples)
    header = (40).to_bytes(4) + (24).to_bytes(4) + bytes([bits, 2, 0, 0, 1 if interlaced else 0])
    if interlaced:
        rows = b""
        for row, column, down, right in (
            (0, 0, 8, 8),
            (0, 4, 8, 8),
            (4, 0, 8, 4),
            (0, 2, 4, 4),
            (2, 0, 4, 2),
            (0, 1, 2, 2),
            (1, 0, 2, 1),
        ):
            for line in samples[row::down, column::right]:
                rows += b"\0" + line.astype(f">u{bits // 8}").tobytes()
    stream = zlib.compress(rows)
    parts = [stream[at : at + 300] for at in range(0, len(stream), 300)]
    begin = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    end = png_chunk(b"IEND", b"")
    full = begin + b"".join(png_chunk(b"IDAT", part) for part in parts) + end
    np.testing.assert_array_equal(come_in(full), samples)
    for count in range(1, len(parts)):
        kept = b"".join(png_chunk(b"IDAT", part) for part in parts[:count])
        assert come_in(begin + kept) is None
        assert come_in(begin + kept + end) is None
