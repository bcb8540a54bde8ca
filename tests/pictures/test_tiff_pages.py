"""TIFFs of several pages: the picture, and never its thumbnail, its mask or a camera's preview."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin
import pytest
import tifffile
from numpy.typing import NDArray

from impasto.errors import PictureError
from impasto.pictures.encoding import encode_picture
from impasto.pictures.image import open_image
from impasto.pictures.metadata import XMP_TAG, recipe_to_xmp
from impasto.pictures.reading import read_recipe
from support.picture_files import RGB, adobe_rgb, one_row_tiff, pixels, run_python

THUMBNAIL = np.full((6, 10, 3), 200, np.uint8)
NEW_SUBFILE_TYPE = 254
REDUCED, MASK, DEPTH_MAP = 1, 4, 8
CFA, LINEAR_RAW = 32803, 34892

Page = tuple[NDArray[Any], dict[str, Any]]


def _tiff(*pages: Page, **file: Any) -> io.BytesIO:
    """Pages with options of tifffile; ``subifds`` says how many of the next are SubIFDs."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), tifffile.TiffWriter(stream, **file) as writer:
        warnings.simplefilter("ignore")
        for samples, options in pages:
            chosen = {"photometric": "rgb", "metadata": None, "extratags": [], **options}
            mark = chosen.pop("mark", 0)
            chosen["extratags"] = [*chosen["extratags"], (NEW_SUBFILE_TYPE, 4, 1, mark, True)]
            writer.write(samples, **chosen)
    stream.seek(0)
    return stream


def _reduced(**options: Any) -> Page:
    return THUMBNAIL, {"mark": REDUCED, **options}


def _is_full(stream: io.BytesIO) -> None:
    np.testing.assert_array_equal(open_image(stream).to_numpy(), RGB)


@pytest.mark.parametrize("file", [{}, {"byteorder": ">"}, {"bigtiff": True}])
@pytest.mark.parametrize("mark", [REDUCED, MASK, DEPTH_MAP, REDUCED | MASK, REDUCED | 2])
def test_the_full_picture_behind_a_thumbnail_comes_in(mark: int, file: dict[str, Any]) -> None:
    first = (THUMBNAIL, {"mark": mark})
    _is_full(_tiff(first, (RGB, {}), **file))
    _is_full(_tiff((THUMBNAIL, {"mark": mark, "subifds": 1}), (RGB, {}), **file))


def test_it_is_found_behind_several_of_them() -> None:
    _is_full(_tiff(_reduced(), _reduced(), (RGB, {}), (RGB[::-1], {})))
    _is_full(_tiff(_reduced(subifds=2), _reduced(), (RGB, {}), (THUMBNAIL, {})))
    _is_full(_tiff(_reduced(), (RGB, {"subifds": 1}), _reduced()))


def test_the_old_tag_marks_a_thumbnail_too() -> None:
    _is_full(_tiff((THUMBNAIL, {"extratags": [(255, 3, 1, 2, True)]}), (RGB, {})))


def test_a_first_page_with_its_full_version_in_a_subifd() -> None:
    _is_full(_tiff((THUMBNAIL, {"subifds": 1}), (RGB, {})))


def test_the_first_of_several_pictures_is_the_picture() -> None:
    large = np.repeat(np.repeat(RGB, 2, 0), 2, 1)
    _is_full(_tiff((RGB, {}), (large, {})))
    _is_full(_tiff((RGB, {"mark": 2}), (large, {"mark": 2})))


def test_a_pyramid_is_read_at_its_full_size() -> None:
    _is_full(_tiff((RGB, {"subifds": 2}), _reduced(), _reduced()))
    _is_full(_tiff((RGB, {}), _reduced(), (THUMBNAIL, {"mark": MASK | REDUCED})))
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, ome=True) as writer:
        writer.write(RGB, photometric="rgb", subifds=1)
        writer.write(THUMBNAIL, photometric="rgb", subfiletype=REDUCED)
    stream.seek(0)
    _is_full(stream)


CFA_PATTERN = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes([0, 1, 1, 2]), True)]
SENSORS: list[Page] = [
    (np.full((24, 40), 1000, np.uint16), {"photometric": CFA, "extratags": CFA_PATTERN}),
    (np.full((24, 40, 3), 1000, np.uint16), {"photometric": LINEAR_RAW}),
]


@pytest.mark.parametrize("sensor", SENSORS, ids=["mosaic", "linear"])
def test_a_camera_raw_is_refused_and_not_its_preview(sensor: Page) -> None:
    for stream in (
        _tiff(sensor),
        _tiff(_reduced(subifds=1), sensor),
        _tiff(_reduced(subifds=2), sensor, _reduced()),
        _tiff(_reduced(subifds=2), _reduced(), sensor),
        _tiff(_reduced(), sensor),
        _tiff((THUMBNAIL, {"subifds": 1}), sensor),
    ):
        with pytest.raises(PictureError, match=r"is a camera raw file .*develop it"):
            open_image(stream)


def test_canons_raw_is_refused_by_its_head() -> None:
    """CR2 begins with a JPEG of the picture, and marks no page."""
    head = b"II*\0\x10\0\0\0CR\x02\0"
    with pytest.raises(PictureError, match="is a camera raw file"):
        open_image(io.BytesIO(head + bytes(100)))


def test_thumbnails_and_masks_alone_are_refused() -> None:
    for stream in (
        _tiff(_reduced()),
        _tiff(_reduced(), _reduced()),
        _tiff(_reduced(), (THUMBNAIL[:2], {})),  # smaller than what it would be reduced to
        _tiff(_reduced(), (RGB[..., 0], {"photometric": "minisblack", "mark": MASK})),
    ):
        with pytest.raises(PictureError, match=r"thumbnail or a mask .*10 x 6 pixels"):
            open_image(stream)


def _by_pillow(picture: PIL.Image.Image, **options: Any) -> io.BytesIO:
    """A thumbnail and a picture in a TIFF of a kind that tifffile leaves to Pillow."""
    stream = io.BytesIO()
    mark = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    mark[NEW_SUBFILE_TYPE] = REDUCED
    small = picture.resize((10, 6), PIL.Image.Resampling.NEAREST)
    small.save(stream, "TIFF", save_all=True, append_images=[picture], tiffinfo=mark, **options)
    stream.seek(0)
    with tifffile.TiffFile(stream, mode="r+") as file:
        page = file.pages[1]
        assert isinstance(page, tifffile.TiffPage)
        page.tags[NEW_SUBFILE_TYPE].overwrite(0)
    return io.BytesIO(stream.getvalue())


@pytest.mark.parametrize("kind", ["palette", "bilevel", "fax", "jpeg"])
def test_pages_are_chosen_where_pillow_reads_too(kind: str) -> None:
    picture = PIL.Image.fromarray(RGB)
    options: dict[str, dict[str, Any]] = {
        "fax": {"compression": "group4"},
        "jpeg": {"compression": "jpeg", "quality": 95},
    }
    if kind == "palette":
        picture = picture.quantize(16)
    elif kind in ("bilevel", "fax"):
        picture = picture.convert("1")
    image = open_image(_by_pillow(picture, **options.get(kind, {})))
    expected = np.asarray(picture.convert("RGB")) / 255
    tolerance = 0.1 if kind == "jpeg" else 1e-6
    np.testing.assert_allclose(pixels(image), expected, rtol=0, atol=tolerance)


def test_metadata_comes_from_the_page_of_the_picture() -> None:
    wrong, right = recipe_to_xmp({"of": "thumbnail"}), recipe_to_xmp({"of": "picture"})
    stream = _tiff(
        _reduced(extratags=[(XMP_TAG, 1, len(wrong), wrong, True)], iccprofile=adobe_rgb()),
        (RGB, {"extratags": [(XMP_TAG, 1, len(right), right, True), (274, 3, 1, 3, True)]}),
    )
    image = open_image(stream)
    np.testing.assert_array_equal(image.to_numpy(), RGB[::-1, ::-1])
    assert image.recipe == {"of": "picture"}
    assert read_recipe(stream) == {"of": "picture"}


def test_our_own_tiff_is_read_where_it_is() -> None:
    _is_full(io.BytesIO(encode_picture("a.tif", RGB)))


def test_a_thumbnail_that_pillow_opened_is_refused_until_its_picture_is_sought() -> None:
    stream = _tiff(_reduced(), (RGB, {}))
    with PIL.Image.open(stream) as picture:
        with pytest.raises(PictureError, match="marks this page as a thumbnail"):
            open_image(picture)
        assert open_image(picture.copy()).width == 10
        picture.seek(1)
        np.testing.assert_array_equal(open_image(picture).to_numpy(), RGB)


def test_pages_that_run_in_a_circle_end() -> None:
    data = bytearray(_tiff(_reduced(), _reduced(), byteorder="<").getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        offsets = [page.offset for page in file.pages]
    entries = int.from_bytes(data[offsets[1] : offsets[1] + 2], "little")
    at = offsets[1] + 2 + 12 * entries
    data[at : at + 4] = offsets[0].to_bytes(4, "little")
    with pytest.raises(PictureError):
        open_image(io.BytesIO(bytes(data)))


@pytest.mark.parametrize("pointer", [3, 8, 60000])
def test_pointers_that_lead_nowhere_are_passed_over(pointer: int) -> None:
    stream = one_row_tiff(8, bytes([0, 128, 255]), 3, t330=(pointer,))
    assert open_image(stream).to_numpy()[0, :, 0].tolist() == [0, 128, 255]


def test_nothing_is_printed_about_broken_pages() -> None:
    code = """
        import io, tifffile, numpy as np
        from impasto.errors import PictureError
        from impasto.pictures.reading import read_picture  # without torch
        stream = io.BytesIO()
        tifffile.imwrite(stream, np.ones((9, 9, 3), "u1"), photometric="rgb", subfiletype=1)
        data = bytearray(stream.getvalue())
        with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
            at = file.pages.first.offset + 2 + 12 * len(file.pages.first.tags)
        data[at : at + 4] = (2**31).to_bytes(4, "little")
        try:
            read_picture(io.BytesIO(bytes(data)), 999)
        except PictureError:
            print("refused")
    """
    run = run_python(code)
    assert (run.stdout, run.stderr) == (b"refused\n", b"")
