"""Interlaced films are read without combs, frame by frame, and the others as they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import impasto
from impasto.errors import FrameWarning, PictureError, PictureWarning
from impasto.video_files.deinterlacing import deinterlaced
from impasto.video_files.opening import open_video
from impasto.video_files.video import Frame, Video
from support.command_line import run
from support.films import Clip, copy_film, make_film, painting, tracks_of
from support.moving_pictures import QUICK, style_file

INTERLACED = ("flags", "+ilme+ildct")
CODINGS = [
    ("film.mpg", "mpeg2video", "yuv420p", (INTERLACED, ("b", "4M"))),
    ("film.mp4", "libx264", "yuv420p", (INTERLACED, ("crf", "1"))),
    ("film.mkv", "libx264", "yuv420p", (("x264-params", "tff=1"), ("crf", "1"))),
    ("film.mov", "prores_ks", "yuv422p10le", (INTERLACED,)),
]


def fields(number: int, step: int = 1) -> NDArray[np.uint8]:
    """Upright bars that move on by 3 pixels from field to field; with step 0 nothing moves."""
    rows, columns = np.mgrid[0:48, 0:64]
    moment = 2 * number + rows % 2 * step
    gray = np.where((columns - 3 * moment) % 32 < 16, 200, 60).astype(np.uint8)
    return np.stack([gray] * 3, -1)


def combed(pixels: torch.Tensor) -> float:
    """How much each line differs from those beside it."""
    return float((pixels[..., 1:, :] - pixels[..., :-1, :]).abs().mean())


@pytest.mark.parametrize(("name", "codec", "pixel_format", "options"), CODINGS)
def test_combs_are_gone_and_times_and_sound_stay(
    tmp_path: Path, name: str, codec: str, pixel_format: str, options: tuple[tuple[str, str], ...]
) -> None:
    pictures = [fields(number) for number in range(8)]
    sounds = ("mp2",) if name.endswith("mpg") else ("aac",)
    clip = Clip(pictures, codec=codec, pixel_format=pixel_format, options=options, sounds=sounds)
    film = make_film(tmp_path / name, clip)
    with av.open(str(film)) as container:
        raw = list(container.decode(video=0))
        assert all(frame.interlaced_frame for frame in raw)
        times = [Fraction((frame.pts or 0) * (frame.time_base or 1)) for frame in raw]
    video = open_video(film)
    with pytest.warns(FrameWarning, match=f"{name}: has interlaced frames"):
        frames = list(video.frames())
    assert [frame.time for frame in frames] == times
    assert len(frames) == 8
    for frame, picture in zip(frames[1:], pictures[1:], strict=True):
        before = combed(torch.from_numpy(picture / 255.0).permute(2, 0, 1))
        assert combed(frame.pixels) < 0.2 * before
    for start in (1, 3, 7):
        for frame in video.frames(start, start + 2):
            assert torch.equal(frame.pixels, frames[frame.number].pixels)
            assert frame.time == frames[frame.number].time
    copy_film(video, tmp_path / "out.mkv")
    assert tracks_of(tmp_path / "out.mkv").hashes == tracks_of(film).hashes


def test_a_film_that_is_not_interlaced_is_read_as_it_is(tmp_path: Path) -> None:
    pictures = [fields(number) for number in range(4)]
    clip = Clip(pictures, codec="ffv1", pixel_format="bgr0", options=())
    video = open_video(make_film(tmp_path / "film.mkv", clip))
    for frame, picture in zip(_unwarned(video), pictures, strict=True):
        assert np.array_equal((frame.pixels[0] * 255).round().numpy(), picture.transpose(2, 0, 1))


def _unwarned(video: Video) -> Iterator[Frame]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield from video.frames()


def test_it_is_said_once_by_the_one_who_asks(tmp_path: Path) -> None:
    pictures = [painting(number, 48, 64) for number in (0, 0, 3, 3)]
    film = make_film(tmp_path / "film.mp4", Clip(pictures, options=(INTERLACED,)))
    video = open_video(film)
    given = {**QUICK, "iterations": (1,)}
    with pytest.warns(
        PictureWarning, match=r"film\.mp4: has interlaced frames; .* \(deinterlaced\)"
    ) as said:
        out = impasto.stylize_video(film, style_file(tmp_path), tmp_path / "out.mkv", **given)
    assert len([one for one in said if "interlaced" in str(one.message)]) == 1
    own = [frame.time for frame in video.frames()]
    assert [frame.time for frame in _unwarned(open_video(out))] == own


def test_films_of_masks_and_frames_within_a_film_are_spoken_of(tmp_path: Path) -> None:
    pictures = [fields(number) for number in range(4)]
    interlaced = make_film(tmp_path / "mask.mp4", Clip(pictures, options=(INTERLACED,)))
    plain = make_film(tmp_path / "film.mkv", Clip(pictures))
    given = {**QUICK, "iterations": (1,), "keep": interlaced}
    with pytest.warns(FrameWarning) as said:
        list(impasto.iterate_video(plain, style_file(tmp_path), **given))
    assert [str(one.message).partition(":")[0] for one in said] == [str(interlaced)]
    parts = [
        make_film(tmp_path / f"{number}.h264", Clip(pictures, options=options)).read_bytes()
        for number, options in enumerate([(("crf", "1"),), (INTERLACED,)])
    ]
    both = tmp_path / "both.h264"
    both.write_bytes(b"".join(parts))
    frames = open_video(both).frames()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        next(frames)
    with pytest.warns(FrameWarning, match="both.h264: has interlaced frames"):
        assert len(list(frames)) == 7


@pytest.mark.parametrize(("height", "width"), [(4, 64), (48, 2)])
def test_frames_that_are_too_small_for_the_filter_stay_as_they_are(
    tmp_path: Path, height: int, width: int
) -> None:
    pictures = [fields(number)[:height, :width] for number in range(3)]
    film = make_film(tmp_path / "film.mkv", Clip(pictures, options=(INTERLACED,)))
    with av.open(str(film)) as container:
        assert all(frame.interlaced_frame for frame in container.decode(video=0))
    frames = list(_unwarned(open_video(film)))
    assert [frame.pixels.shape[2:] for frame in frames] == [(height, width)] * 3


def _interlaced(folder: Path, pixel_format: str) -> Any:
    """A frame that says that it is interlaced, of a film."""
    film = make_film(folder / "film.mp4", Clip([fields(0)], options=(INTERLACED,)))
    with av.open(str(film)) as container:
        frame = next(container.decode(video=0)).reformat(format=pixel_format)
    assert frame.interlaced_frame
    return frame


def _made_whole(frame: Any, unit: Fraction = Fraction(1, 25)) -> Any:
    (made,) = deinterlaced(iter([frame]), unit, "film.mov", set())
    return made


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("gray10le", "gray10le"),
        ("ya8", "ya8"),
        ("yuv440p10le", "yuv440p10le"),
        ("yuva444p12le", "yuva444p16le"),
        ("uyvy422", "yuv422p"),
        ("gray", "gray"),
    ],
)
def test_formats_become_only_what_holds_the_same(tmp_path: Path, given: str, made: str) -> None:
    assert _made_whole(_interlaced(tmp_path, given)).format.name == made


def test_a_reserved_code_of_colours_is_none(tmp_path: Path) -> None:
    frame = _interlaced(tmp_path, "yuv420p")
    frame.colorspace = 3
    assert _made_whole(frame) is not frame


def test_what_ffmpeg_has_against_it_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"^film\.mov: cannot be deinterlaced \(.+\)$"):
        _made_whole(_interlaced(tmp_path, "yuv420p"), Fraction(0))


def test_the_command_says_it(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Clip([fields(0)], options=(INTERLACED,)))
    flags = ["--size", "64", "--levels", "1", "--iterations", "1", "-o", "out.mkv"]
    done = run("video", film, style_file(tmp_path), *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.decode().count("film.mp4: has interlaced frames; each of them is made") == 1
