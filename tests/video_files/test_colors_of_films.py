"""Colours: a red is the same red, however a film codes it, and after it was written again."""

import itertools
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from impasto.errors import PictureError
from impasto.video_files.chroma import halve, upsample
from impasto.video_files.opening import open_video
from support.films import BLUE, GREEN, RED, Clip, copy_film, make_film, pixels_of, plain

CODINGS = list(itertools.product(["601", "709"], [False, True], [8, 10]))


@pytest.mark.parametrize(("matrix", "full", "bits"), CODINGS)
def test_colors_are_read_within_2_of_255(
    tmp_path: Path, matrix: str, full: bool, bits: int
) -> None:
    colors = [RED, GREEN, BLUE, (200, 30, 90), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
    clip = Clip(
        [plain(color, 48, 64) for color in colors],
        pixel_format="yuv420p" if bits == 8 else "yuv420p10le",
        matrix=matrix,
        full_range=full,
    )
    video = open_video(make_film(tmp_path / "film.mp4", clip))
    assert (video.colors.full_range, video.bits) == (full, bits)
    for color, frame in zip(colors, video.frames(), strict=True):
        assert np.abs(pixels_of(frame) - color).max() < 2, color


@pytest.mark.parametrize(("matrix", "full", "bits"), CODINGS)
@pytest.mark.parametrize("extension", [".mp4", ".mov", ".webm", ".mkv"])
def test_a_red_stays_red_through_writing(
    tmp_path: Path, matrix: str, full: bool, bits: int, extension: str
) -> None:
    clip = Clip(
        [plain(RED, 48, 64)] * 2,
        pixel_format="yuv420p" if bits == 8 else "yuv420p10le",
        matrix=matrix,
        full_range=full,
    )
    target = tmp_path / f"out{extension}"
    copy_film(make_film(tmp_path / "film.mp4", clip), target)
    for frame in open_video(target).frames():
        assert np.abs(pixels_of(frame) - RED).max() < 2
    # Another reader sees it too: FFmpeg's own conversion, by the tags in the file.
    with av.open(str(target)) as film:
        for decoded in film.decode(video=0):
            shown = decoded.reformat(format="rgb24", dst_color_range=2).to_ndarray()
            assert np.abs(shown.astype(int) - RED).max() <= 2


@pytest.mark.parametrize(("height", "matrix"), [(48, "601"), (720, "709")])
def test_what_says_nothing_is_read_by_its_height(tmp_path: Path, height: int, matrix: str) -> None:
    film = make_film(tmp_path / "film.mp4", Clip([plain(RED, height, 64)]))
    video = open_video(film)
    assert video.colors.matrix == matrix
    (frame,) = video.frames()
    assert np.abs(pixels_of(frame) - RED).max() < 2


def test_the_tags_of_a_film_are_those_of_what_it_was_made_of(tmp_path: Path) -> None:
    for matrix, full in itertools.product(["601", "709"], [False, True]):
        clip = Clip([plain(RED, 48, 64)], matrix=matrix, full_range=full)
        copy_film(make_film(tmp_path / "in.mp4", clip), tmp_path / "out.mp4", overwrite=True)
        with av.open(str(tmp_path / "out.mp4")) as film:
            frame = next(film.decode(video=0))
        code = {"601": 6, "709": 1}[matrix]
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (code, code, code)
        assert frame.color_range == (2 if full else 1)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_and_never_relabelled(tmp_path: Path, transfer: int, name: str) -> None:
    clip = Clip([plain(RED, 48, 64)], matrix="709", transfer=transfer, pixel_format="yuv420p10le")
    film = make_film(tmp_path / "film.mp4", clip)
    with pytest.raises(PictureError, match=rf"HDR \({name}\).*make it SDR first"):
        open_video(film)


def test_wide_primaries_become_those_of_srgb(tmp_path: Path) -> None:
    # sRGB's red in Rec. 2020, at a display of gamma 2.4: (0.6274, 0.0691, 0.0164) of linear light.
    red = tuple(round(255 * value ** (1 / 2.4)) for value in (0.6274, 0.0691, 0.0164))
    clip = Clip([plain(red, 48, 64)], matrix="2020", pixel_format="yuv420p10le")
    video = copy_film(make_film(tmp_path / "film.mp4", clip), tmp_path / "out.mp4")
    (frame,) = video.frames()
    read = pixels_of(frame).mean((0, 1))
    assert read[0] > 250
    assert read[1:].max() < 45  # a step of 1 in 255 near black is a tenth of that
    assert open_video(tmp_path / "out.mp4").colors.primaries == 1


def test_gray_and_mjpeg_are_read(tmp_path: Path) -> None:
    gray = Clip([plain((90, 90, 90), 48, 64)], codec="ffv1", pixel_format="gray", options=())
    (frame,) = open_video(make_film(tmp_path / "gray.mkv", gray)).frames()
    assert np.abs(pixels_of(frame) - 90).max() < 1.5
    jpeg = Clip(
        [plain(RED, 48, 64)],
        codec="mjpeg",
        pixel_format="yuvj420p",
        options=(("qscale", "1"),),
        full_range=True,
    )
    (frame,) = open_video(make_film(tmp_path / "jpeg.avi", jpeg)).frames()
    assert np.abs(pixels_of(frame) - RED).max() < 3


def test_halving_takes_back_upsampling_along_the_rows() -> None:
    plane = torch.rand(6, 9, generator=torch.Generator().manual_seed(1))
    whole = upsample(plane, (6, 18), (1, 2)).repeat_interleave(2, 0)
    assert whole.shape == (12, 18)
    torch.testing.assert_close(halve(whole), plane)


def test_chroma_of_odd_sides_covers_the_picture() -> None:
    plane = torch.arange(12.0).reshape(3, 4)
    assert upsample(plane, (5, 7), (2, 2)).shape == (5, 7)
    assert upsample(plane, (5, 7), (2, 2))[:, 0].tolist() == [0, 1, 3, 5, 7]
