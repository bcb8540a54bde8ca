"""Interlaced films are read without combs, frame by frame, and the others as they are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import impasto
from impasto.errors import PictureWarning
from impasto.video_files.opening import open_video
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
    assert video.is_interlaced
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
    assert not video.is_interlaced
    for frame, picture in zip(video.frames(), pictures, strict=True):
        assert np.array_equal((frame.pixels[0] * 255).round().numpy(), picture.transpose(2, 0, 1))


def test_it_is_said_once_by_the_one_who_asks(tmp_path: Path) -> None:
    pictures = [painting(number, 48, 64) for number in (0, 0, 3, 3)]
    film = make_film(tmp_path / "film.mp4", Clip(pictures, options=(INTERLACED,)))
    given = {**QUICK, "iterations": (1,)}
    with pytest.warns(
        PictureWarning, match=r"film\.mp4: is interlaced; .* \(deinterlaced\)"
    ) as said:
        out = impasto.stylize_video(film, style_file(tmp_path), tmp_path / "out.mkv", **given)
    assert len([one for one in said if "interlaced" in str(one.message)]) == 1
    assert [one.time for one in open_video(out).frames()] == [
        one.time for one in open_video(film).frames()
    ]
    assert not open_video(out).is_interlaced


def test_the_command_says_it(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", Clip([fields(0)], options=(INTERLACED,)))
    flags = ["--size", "64", "--levels", "1", "--iterations", "1", "-o", "out.mkv"]
    done = run("video", film, style_file(tmp_path), *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.decode().count("film.mp4: is interlaced; each of its frames is made") == 1
