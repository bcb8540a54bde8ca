"""Frames read from the middle of a film are those that reading from its beginning gives."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from numpy.typing import NDArray

from impasto.errors import FrameWarning, PictureError
from impasto.video_files.opening import open_video
from impasto.video_files.video import Frame, Mark, Video
from support.films import Clip, damage_beginning, make_film

COUNT = 60
GROUP = ("g", "12")
"""A key frame at every twelfth frame."""

INTERLACED = ("flags", "+ilme+ildct")


def moving(number: int) -> NDArray[np.uint8]:
    """A picture that is cut at every tenth frame, with noise that lies still and bars that move."""
    noise = np.random.default_rng(number // 10).integers(0, 90, (48, 64, 3), np.uint8)
    bars = (np.arange(64) + 3 * number) % 24 < 12
    return noise + np.where(bars, 140, 10).astype(np.uint8)[None, :, None]


def clip_of(codec: str = "libx264", *options: tuple[str, str], **more: Any) -> Clip:
    return Clip([moving(number) for number in range(COUNT)], codec=codec, options=options, **more)


TIMES = [number * 600 + 40 * (number % 3) - 900 for number in range(COUNT)]
VARIABLE = {"times": TIMES, "time_base": Fraction(1, 15360), "last_duration": 512}
OPEN = ("x264-params", "open-gop=1:bframes=3:b-pyramid=normal:keyint=12:scenecut=0")
FIELDS = ("x264-params", "tff=1:keyint=12")

CLIPS = {
    "h264.mp4": clip_of("libx264", GROUP, ("bf", "3")),
    "turned.mp4": clip_of("libx264", GROUP, rotation=90, flips=(True, False)),
    "open.mp4": clip_of("libx264", OPEN),
    "open.mkv": clip_of("libx264", OPEN),
    "times.mp4": clip_of("libx264", GROUP, ("bf", "2"), **VARIABLE),
    "times.mkv": clip_of("libx264", GROUP, ("bf", "2"), **VARIABLE),
    "h264.mov": clip_of("libx264", GROUP),
    "prores.mov": clip_of("prores_ks", pixel_format="yuv422p10le"),
    "fields.mov": clip_of("prores_ks", INTERLACED, pixel_format="yuv422p10le"),
    "fields.mkv": clip_of("libx264", FIELDS),
    "fields.mp4": clip_of("libx264", FIELDS),
    "ffv1.mkv": clip_of("ffv1", pixel_format="bgr0"),
    "vp9.webm": clip_of("libvpx-vp9", GROUP, ("cpu-used", "8")),
    "alpha.webm": clip_of("libvpx-vp9", GROUP, ("cpu-used", "8"), pixel_format="yuva420p"),
    "mpeg4.avi": clip_of("mpeg4", GROUP, ("bf", "2")),
    "h264.ts": clip_of("libx264", GROUP, ("bf", "3")),
    "mpeg2.mpg": clip_of("mpeg2video", GROUP, ("bf", "2")),
    "fields.mpg": clip_of("mpeg2video", GROUP, INTERLACED, ("bf", "2")),
    "mpeg2.ts": clip_of("mpeg2video", GROUP, ("bf", "2")),
    "sound.mp4": clip_of("libx264", GROUP, sounds=("aac",)),
    "hevc.mp4": clip_of("libx265", ("x265-params", "keyint=12:bframes=3:open-gop=1:log-level=1")),
    "av1.webm": clip_of("libsvtav1", GROUP, ("preset", "12")),
    "refresh.mp4": clip_of("libx264", ("x264-params", "intra-refresh=1:keyint=12")),
    "packed.avi": clip_of("mpeg4", GROUP, ("bf", "2"), ("flags", "+qpel")),
    "raw.h264": clip_of("libx264", GROUP),
    "movie.flv": clip_of("flv", GROUP),
}

PARTS = [(1, 5), (9, 20), (12, 24), (24, 36), (30, 33), (34, 46), (47, 57)]
"""From before, at and after key frames; the last part ends with the film, or nearly."""

ENTERED = [
    "h264.mp4",
    "turned.mp4",
    "open.mp4",
    "open.mkv",
    "times.mp4",
    "fields.mkv",
    "alpha.webm",
]


def read_all(video: Video) -> list[Frame]:
    """All frames; interlaced ones are spoken of, which is tested elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FrameWarning)
        return list(video.frames())


def assert_same(found: Sequence[Frame], frames: Sequence[Frame]) -> None:
    assert [one.number for one in found] == [one.number for one in frames]
    for one, other in zip(found, frames, strict=True):
        assert (one.time, one.duration) == (other.time, other.duration)
        assert torch.equal(one.pixels, other.pixels)
        assert (one.alpha is None) == (other.alpha is None)
        if one.alpha is not None and other.alpha is not None:
            assert torch.equal(one.alpha, other.alpha)


@pytest.mark.parametrize("name", CLIPS)
def test_frames_are_the_same_from_wherever_they_are_read(tmp_path: Path, name: str) -> None:
    video = open_video(make_film(tmp_path / name, CLIPS[name]))
    frames = read_all(video)
    assert len(frames) >= COUNT - 2  # an MP4 may cut off what comes before 0
    marks = [frame.mark for frame in frames]
    for start, end in [*PARTS, (len(frames) - 1, None)]:
        found = list(video.frames(start, end, marks=marks[start:end]))
        assert_same(found, frames[start:end])


@pytest.mark.parametrize("name", ENTERED)
def test_what_comes_long_before_is_not_read(tmp_path: Path, name: str) -> None:
    """The film's beginning is damaged; only who reads it finds that."""
    film = make_film(tmp_path / name, CLIPS[name])
    frames = read_all(open_video(film))
    marks = [frame.mark for frame in frames]
    video = open_video(film)
    damage_beginning(film)
    with pytest.raises(PictureError, match=r"damaged after|no frame of it"):
        read_all(video)
    assert_same(list(video.frames(40, 50, marks=marks[40:50])), frames[40:50])


def test_a_frame_that_does_not_come_as_it_was_is_read_from_the_beginning(tmp_path: Path) -> None:
    video = open_video(make_film(tmp_path / "film.mp4", CLIPS["h264.mp4"]))
    frames = read_all(video)
    marks = [frame.mark for frame in frames]
    wrong = [*marks[:33], Mark(marks[33].time, marks[33].digest ^ 1), *marks[34:]]
    assert_same(list(video.frames(30, 36, marks=wrong[30:36])), frames[30:36])
    late = [Mark(time + 1, digest) for time, digest in marks]
    assert_same(list(video.frames(30, 36, marks=late[30:36])), frames[30:36])
    assert_same(list(video.frames(30, 36, marks=marks[30:32])), frames[30:36])
    assert_same(list(video.frames(50, marks=marks[50:])), frames[50:])


def test_marks_tell_frames_apart(tmp_path: Path) -> None:
    video = open_video(make_film(tmp_path / "film.mkv", CLIPS["ffv1.mkv"]))
    frame = next(video.frames())
    changed = frame.pixels.clone()
    changed[0, 1, 20, 30] += 1e-6
    others = [
        replace(frame, pixels=changed),
        replace(frame, pixels=frame.pixels.flip(3)),
        replace(frame, alpha=torch.ones(1, 1, 48, 64)),
        replace(frame, time=frame.time + 1),
        replace(frame, duration=frame.duration * 2),
    ]
    assert len({one.mark for one in [frame, *others]}) == 6
    assert replace(frame, pixels=frame.pixels.clone()).mark == frame.mark


def test_animations_and_pictures_in_a_row_have_marks_too(tmp_path: Path) -> None:
    pictures = [PIL.Image.fromarray(moving(number)) for number in range(8)]
    pictures[0].save(tmp_path / "film.gif", save_all=True, append_images=pictures[1:], duration=40)
    (tmp_path / "row").mkdir()
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / "row" / f"{number}.png")
    for source in ("film.gif", "row"):
        video = open_video(tmp_path / source)
        frames = list(video.frames())
        marks = [frame.mark for frame in frames]
        assert_same(list(video.frames(5, 7, marks=marks[5:7])), frames[5:7])
