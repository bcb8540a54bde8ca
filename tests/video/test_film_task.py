"""What each frame of a film has to do: its masks, colours and settings."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import impasto
from impasto.errors import PictureError, SettingsError
from impasto.pictures.image import Image
from impasto.video.film_file import FilmOutput, make_film
from impasto.video.film_painting import film_task
from impasto.video.keyframes import Keyframe, KeyframeTrack
from impasto.video.shot_workers import Workforce
from impasto.video_files.opening import open_video
from support.films import Clip, make_film as write_film, painting
from support.moving_pictures import QUICK, panned, still, style_file, texture, write_frames


def _painted(source: str, style: str | None, **given: object) -> list[Tensor]:
    return [step.pixels for step in impasto.iterate_video(source, style, **{**QUICK, **given})]


def _mask(path: Path, columns: int) -> str:
    """A still that is white in its first columns."""
    mask = torch.zeros(1, 3, 48, 64)
    mask[..., :columns] = 1
    Image(mask).save(path)
    return str(path)


@pytest.mark.parametrize("given", ["keyword", "settings"])
def test_a_still_masks_what_stays_in_every_frame(tmp_path: Path, given: str) -> None:
    clip, style = panned(3), style_file(tmp_path)
    source = write_frames(tmp_path / "in", clip, bits=16)
    keep = _mask(tmp_path / "keep.png", 32)
    if given == "keyword":
        frames = _painted(source, style, keep=keep)
    else:
        settings = impasto.Settings(keep=keep, **QUICK)
        frames = [step.pixels for step in impasto.iterate_video(source, style, settings)]
    for frame, own in zip(frames, clip, strict=True):
        assert torch.allclose(frame[..., :28], own[..., :28], atol=1e-3)
        assert float((frame - own)[..., 40:].abs().mean()) > 0.01


def test_colours_of_a_picture_hold_for_every_frame(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(3)), style_file(tmp_path)
    red = tmp_path / "red.png"
    Image(texture(64, 64, 3) * torch.tensor([1, 0.1, 0.1]).view(1, 3, 1, 1)).save(red)
    given = {"iterations": (30,), "color": "match", "color_from": str(red)}
    for frame in _painted(source, style, **given):
        assert float(frame[:, 1:].mean()) < 0.26  # else it goes towards the film's own, 0.37


def test_a_mask_may_be_a_film_with_frame_times_of_its_own(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", Clip([painting(n, 48, 64) for n in range(3)]))
    white = torch.full((48, 64, 3), 255, dtype=torch.uint8).numpy()
    mask = write_film(tmp_path / "mask.mp4", Clip([white] * 3))
    own = [frame.pixels for frame in open_video(film).frames()]
    frames = _painted(str(film), style_file(tmp_path), keep=str(mask))
    for frame, kept in zip(frames, own, strict=True):
        assert torch.allclose(frame, kept, atol=0.01)


@pytest.mark.parametrize("at_once", [False, True])
def test_what_a_mask_is_of_may_come_and_go(tmp_path: Path, at_once: bool) -> None:
    clip = [*still(2, seed=1), *still(2, seed=2)]
    source, style = write_frames(tmp_path / "in", clip, bits=16), style_file(tmp_path)
    masks = [torch.full((1, 3, 48, 64), value) for value in (0.0, 1.0, 0.0, 1.0)]
    region = write_frames(tmp_path / "masks", masks)
    given = {"preset": "instant", "size": 64} if at_once else QUICK

    def painted(style: str | None, own: str | None) -> list[Tensor]:
        steps = impasto.iterate_video(source, style, regions=[(region, own)], **given)
        return [step.pixels for step in steps]

    frames = painted(None, style)
    for number in (0, 2):
        assert torch.allclose(frames[number], clip[number], atol=1e-3)
    for number in (1, 3):
        assert float((frames[number] - clip[number]).abs().mean()) > 0.01
    frames = painted(style, None)
    for number in (1, 3):
        assert torch.allclose(frames[number], clip[number], atol=1e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seamless": True}, "seamless = True: a film does not repeat"),
        ({"start": float("inf")}, "start = inf"),
        ({"end": float("inf")}, "end = inf"),
        ({"keep": "none.png"}, "none.png: no such file"),
        ({"settings": impasto.Settings(keep="none.png")}, "none.png: no such file"),
        ({"color": "match", "color_from": "none.png"}, "none.png: no such file"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    source = write_frames(tmp_path / "in", still(1))
    with pytest.raises((SettingsError, PictureError), match=message):
        impasto.iterate_video(source, style_file(tmp_path), **given)


def test_keyframes_that_do_not_fit_the_film_are_refused_before_the_work(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", still(1)), style_file(tmp_path)
    track = KeyframeTrack.of(
        [Keyframe(Fraction(0), {}), Keyframe(Fraction(9), {"style_blend": [1, 2]})]
    )
    with pytest.raises(SettingsError, match="style_blend has 2 weights for 1 styles"):
        impasto.iterate_video(source, style, keyframes=track)


def test_nothing_is_read_beyond_the_end(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(4)), style_file(tmp_path)
    pattern = tmp_path / "in" / "003.png"
    pattern.write_bytes(pattern.read_bytes()[:200])  # damaged
    steps = list(impasto.iterate_video(source, style, end=0.08, **QUICK))
    assert [step.number for step in steps] == [0, 1]
    output = FilmOutput(str(tmp_path / "out.mkv"))
    task = film_task(source, style, end=0.08, **QUICK)
    assert list(make_film(task, output, Workforce(workers=1)))[-1].frames == 2
