"""Animated GIF, WebP and PNG: frames, delays, loops, transparency."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from impasto.errors import OutputError, PictureError
from impasto.video_files.opening import open_video
from support.films import Clip, copy_film, make_film, painting, pixels_of, plain

COLORS = [(200, 30, 40), (20, 180, 60), (30, 60, 220)]
DELAYS = [70, 250, 1000]


def save(path: Path, alpha: bool = False, **options: Any) -> Path:
    """An animation of three plain frames; on the left transparent where there is alpha."""
    frames = []
    for color in COLORS:
        picture = np.full((24, 32, 4), 255, np.uint8)
        picture[..., :3] = plain(color, 24, 32)
        if alpha:
            picture[:, :16, 3] = 0
        frames.append(PIL.Image.fromarray(picture if alpha else picture[..., :3].copy()))
    if path.suffix == ".webp":
        options["lossless"] = True
    else:
        options["disposal"] = 2
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=DELAYS, **options)
    return path


@pytest.mark.parametrize("extension", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("alpha", [False, True])
def test_animations_are_read(tmp_path: Path, extension: str, alpha: bool) -> None:
    video = open_video(save(tmp_path / f"film{extension}", alpha, loop=0))
    assert (video.size, video.frame_count, video.loops) == ((24, 32), 3, 0)
    assert video.has_alpha == alpha
    assert video.duration == Fraction(sum(DELAYS), 1000)
    frames = list(video.frames())
    assert [frame.duration * 1000 for frame in frames] == DELAYS
    assert [frame.time * 1000 for frame in frames] == [0, 70, 320]
    for frame, color in zip(frames, COLORS, strict=True):
        assert np.abs(pixels_of(frame)[:, 16:] - color).max() < 4
        if alpha:
            assert frame.alpha is not None
            assert bool((frame.alpha[..., :16] == 0).all() and (frame.alpha[..., 16:] == 1).all())
    assert [frame.number for frame in video.frames(1, 3)] == [1, 2]
    assert [frame.time * 1000 for frame in video.frames(2)] == [320]


@pytest.mark.parametrize(("said", "plays"), [(None, 1), (0, 0), (1, 2), (4, 5)])
def test_a_gif_loops_as_often_as_before(tmp_path: Path, said: int | None, plays: int) -> None:
    options = {} if said is None else {"loop": said}
    film = save(tmp_path / "film.gif", False, **options)
    video = copy_film(film, tmp_path / "out.gif")
    assert (video.loops, open_video(tmp_path / "out.gif").loops) == (plays, plays)
    with PIL.Image.open(tmp_path / "out.gif") as picture:
        assert picture.info.get("loop") == said


def test_a_gif_written_again_has_its_frames_delays_and_transparency(tmp_path: Path) -> None:
    video = copy_film(save(tmp_path / "film.gif", alpha=True, loop=0), tmp_path / "out.gif")
    again = list(open_video(tmp_path / "out.gif").frames())
    for ours, theirs in zip(again, video.frames(), strict=True):
        assert (ours.time, ours.duration) == (theirs.time, theirs.duration)
        assert ours.alpha is not None
        assert theirs.alpha is not None
        assert bool((ours.alpha == theirs.alpha).all())
        assert np.abs(pixels_of(ours) - pixels_of(theirs))[:, 16:].max() < 6


def test_equal_frames_of_a_gif_stay_as_many(tmp_path: Path) -> None:
    clip = Clip([painting(1, 48, 64)] * 5)
    copy_film(make_film(tmp_path / "film.mp4", clip), tmp_path / "out.gif")
    video = open_video(tmp_path / "out.gif")
    assert video.frame_count == 5
    assert [frame.duration for frame in video.frames()] == [Fraction(1, 25)] * 5
    assert video.loops == 0


def test_a_gif_of_30_frames_a_second_does_not_drift(tmp_path: Path) -> None:
    clip = Clip([painting(n, 48, 64) for n in range(60)], time_base=Fraction(1, 30))
    video = copy_film(make_film(tmp_path / "film.mp4", clip), tmp_path / "out.gif")
    again = open_video(tmp_path / "out.gif")
    for ours, theirs in zip(again.frames(), video.frames(), strict=True):
        assert abs(ours.time - theirs.time) <= Fraction(1, 200)
    assert again.duration == 2


def test_too_fast_a_gif_is_refused(tmp_path: Path) -> None:
    clip = Clip([painting(n, 48, 64) for n in range(6)], time_base=Fraction(1, 60))
    film = make_film(tmp_path / "film.mp4", clip)
    with pytest.raises(OutputError, match=r"at most 50 frames a second.*has 60"):
        copy_film(film, tmp_path / "out.gif")


def test_an_animation_becomes_a_film_with_its_times(tmp_path: Path) -> None:
    for extension in (".mp4", ".mkv", ".mov", ".webm"):
        video = copy_film(save(tmp_path / "film.gif"), tmp_path / f"out{extension}")
        again = open_video(tmp_path / f"out{extension}")
        assert [frame.time for frame in again.frames()] == [frame.time for frame in video.frames()]
        assert [frame.duration for frame in again.frames()][-1] == 1


@pytest.mark.parametrize("extension", [".webp", ".png", ".jpg"])
def test_a_still_picture_is_no_film(tmp_path: Path, extension: str) -> None:
    PIL.Image.fromarray(plain(COLORS[0], 24, 32)).save(tmp_path / f"still{extension}")
    with pytest.raises(PictureError, match=r"is a still picture.*impasto stylize"):
        open_video(tmp_path / f"still{extension}")


@pytest.mark.parametrize("share", [0.4, 0.7, 0.9])
def test_a_gif_cut_short_gives_its_frames_and_an_error(tmp_path: Path, share: float) -> None:
    noise = np.random.default_rng(1)
    frames = [PIL.Image.fromarray(noise.integers(0, 255, (24, 32, 3), np.uint8)) for _ in range(10)]
    frames[0].save(tmp_path / "f.gif", save_all=True, append_images=frames[1:], duration=100)
    whole = (tmp_path / "f.gif").read_bytes()
    (tmp_path / "f.gif").write_bytes(whole[: int(len(whole) * share)])
    video = open_video(tmp_path / "f.gif")
    assert video.frame_count is None
    read: list[Any] = []
    with pytest.raises(PictureError, match=r"damaged after frame \d+ at .* can be read"):
        read.extend(video.frames())
    assert 10 * share - 2 <= len(read) <= 10 * share
