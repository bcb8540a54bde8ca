"""Films painted frame by frame: what stands still, moves, is cut, masked or changes with time."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import impasto
from benchmarks.quality.made_clips import MadeClip
from impasto.errors import PictureError, SettingsError
from impasto.motion.flow import find_flow
from impasto.motion.warping import warp
from impasto.video.film_file import FilmOutput, make_film
from impasto.video.film_painting import film_task
from impasto.video.frame_painter import COARSER, FEWEST
from impasto.video.keyframes import Keyframe, KeyframeTrack
from impasto.video.shot_workers import Workforce
from impasto.video.work_folder import WorkFolder
from impasto.video_files.opening import open_video
from support.moving_pictures import QUICK, panned, still, style_file, texture, write_frames


def _painted(source: str, style: str | None, **given: object) -> list[Tensor]:
    return [step.pixels for step in impasto.iterate_video(source, style, **{**QUICK, **given})]


def test_what_stands_still_stands_still_in_the_painting(tmp_path: Path) -> None:
    frames = _painted(write_frames(tmp_path / "in", still(4)), style_file(tmp_path))
    assert len(frames) == 4
    assert not torch.equal(frames[0], texture(48, 64))
    for frame in frames[1:]:
        assert torch.equal(frame, frames[0])


def test_what_moves_takes_its_paint_along(tmp_path: Path) -> None:
    clip, style = panned(5), style_file(tmp_path)
    source = write_frames(tmp_path / "in", clip)
    steps = list(impasto.iterate_video(source, style, **QUICK))
    alone = [impasto.stylize(frame, style, **QUICK).pixels for frame in clip]
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -12))

    def error(frames: list[Tensor]) -> float:
        found = 0.0
        for number in range(1, len(clip)):
            back = find_flow(clip[number], clip[number - 1])
            difference = frames[number] - warp(frames[number - 1], back)
            found += float(difference[inner].square().mean())
        return found

    assert error([step.pixels for step in steps]) < 0.5 * error(alone)
    assert steps[0].note.warping_error is None
    assert all(step.note.warping_error is not None for step in steps[1:])
    assert [step.time for step in steps] == [Fraction(number, 25) for number in range(5)]


def test_a_cut_begins_anew_and_nothing_bleeds_over_it(tmp_path: Path) -> None:
    style = style_file(tmp_path)
    source = write_frames(tmp_path / "in", [*still(3, seed=1), *still(3, seed=2)])
    steps = list(impasto.iterate_video(source, style, **QUICK))
    assert [step.shot for step in steps] == [0, 0, 0, 3, 3, 3]
    alone = impasto.stylize(source % 3, style, **QUICK).pixels
    assert float((steps[3].pixels - alone).abs().max()) <= 1 / 65535


def test_strength_0_gives_the_film_back(tmp_path: Path) -> None:
    clip = panned(4)
    source = write_frames(tmp_path / "in", clip, bits=16)
    for painted, own in zip(_painted(source, style_file(tmp_path), strength=0), clip, strict=True):
        assert float((painted - own).abs().max()) <= 2 / 65535


def test_boil_keeps_the_paint_alive(tmp_path: Path) -> None:
    source = write_frames(tmp_path / "in", still(3))
    first, *others = _painted(source, style_file(tmp_path), boil=0.5)
    assert all(float((frame - first).abs().mean()) > 1 / 255 for frame in others)


def test_start_and_end_choose_frames_by_time(tmp_path: Path) -> None:
    source, style = write_frames(tmp_path / "in", panned(6)), style_file(tmp_path)
    steps = list(impasto.iterate_video(source, style, start=0.08, end=0.16, **QUICK))
    assert [step.number for step in steps] == [2, 3]
    with pytest.raises(PictureError, match="no frame lies between"):
        list(impasto.iterate_video(source, style, start=9, **QUICK))


def test_a_mask_may_be_a_film_of_the_same_length(tmp_path: Path) -> None:
    clip, style = panned(3), style_file(tmp_path)
    source = write_frames(tmp_path / "in", clip, bits=16)
    masks = [torch.zeros(1, 3, 48, 64) for _ in clip]
    inner = [mask.clone().bool() for mask in masks]  # masks are blended across their borders
    for number, mask in enumerate(masks):
        mask[..., 20 * number : 20 * number + 20] = 1
        inner[number][..., 20 * number + 8 : 20 * number + 12] = True
    keep = write_frames(tmp_path / "masks", masks)
    for number, frame in enumerate(_painted(source, style, keep=keep)):
        kept = inner[number]
        assert torch.allclose(frame[kept], clip[number][kept], atol=1e-3)
        assert float((frame - clip[number]).abs()[masks[number] == 0].mean()) > 0.01
    regions = [(keep, None)]
    for number, frame in enumerate(_painted(source, style, regions=regions)):
        kept = inner[number]
        assert torch.allclose(frame[kept], clip[number][kept], atol=1e-3)
    short = write_frames(tmp_path / "short", masks[:2])
    with pytest.raises(PictureError, match=r"the mask has 2 frames and .* has 3"):
        _painted(source, style, keep=short)


def test_keyframes_change_strength_and_fade_styles(tmp_path: Path) -> None:
    clip, style = still(3), style_file(tmp_path)
    source = write_frames(tmp_path / "in", clip, bits=16)
    track = KeyframeTrack.of(
        [
            Keyframe(Fraction(0), {"strength": 0.0}, {style: 1.0}),
            Keyframe(Fraction(2, 25), {"strength": 0.8}, {style: 1.0}),
        ]
    )
    first, _, last = _painted(source, None, keyframes=track)
    assert torch.allclose(first, clip[0], atol=2 / 65535)
    assert float((last - clip[0]).abs().mean()) > 0.01
    with pytest.raises(SettingsError, match="keyframes name styles, and so does style"):
        _painted(source, style, keyframes=track)


def test_a_model_paints_a_film_and_holds_it_still(tmp_path: Path) -> None:
    from support.networks import random_base, random_model

    model = random_model(random_base())
    source = write_frames(tmp_path / "in", still(3))
    frames = [step.pixels for step in impasto.iterate_video(source, model, size=64)]
    for frame in frames[1:]:
        assert torch.equal(frame, frames[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steadiness": 1.5}, "steadiness = 1.5: should be 0 to 1"),
        ({"boil": -1}, "boil = -1: should be 0 to 1"),
        ({"start": -1}, "start = -1"),
        ({"start": 2, "end": 1}, "end = 1: should be after the start"),
        ({"fps": 0}, "fps"),
        ({"strenght": 0.5}, "strenght"),
    ],
)
def test_what_is_out_of_range_is_refused_before_the_work(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    source = write_frames(tmp_path / "in", still(1))
    with pytest.raises(SettingsError, match=message):
        impasto.iterate_video(source, style_file(tmp_path), **given)


def test_frames_of_the_film_are_painted_at_its_own_shape(tmp_path: Path) -> None:
    source = write_frames(tmp_path / "in", still(1))
    (frame,) = _painted(source, style_file(tmp_path), size=48)
    assert frame.shape == (1, 3, 36, 48)
    assert open_video(source).size == (48, 64)


def test_much_that_is_new_is_painted_at_smaller_sizes_first(tmp_path: Path) -> None:
    style = style_file(tmp_path)
    given = {**QUICK, "levels": 2, "size": 160}
    evaluations, new = {}, (..., slice(0, 24))
    for pan in (1, 24):
        clip = MadeClip((96, 160), pan=(float(pan), 0.0)).frames(2)
        source = write_frames(tmp_path / f"{pan}", clip)
        steps = list(impasto.iterate_video(source, style, **given))
        evaluations[pan] = steps[1].note.evaluations
    assert evaluations[24] >= evaluations[1] + COARSER[-1]
    alone = impasto.stylize(source % 1, style, **given).pixels
    # What came in is painted as a still would have it: not paler.
    assert steps[1].pixels[new].std() > 0.8 * alone[new].std()


def test_a_film_with_large_holes_goes_on_to_the_same_frames(tmp_path: Path) -> None:
    clip = MadeClip((96, 160), pan=(24.0, 0.0)).frames(4)
    source, style = write_frames(tmp_path / "in", clip), style_file(tmp_path)
    given = {**QUICK, "levels": 2, "size": 160}
    steps = list(impasto.iterate_video(source, style, **given))
    assert any(step.note.evaluations >= COARSER[-1] + FEWEST for step in steps[1:])
    task = film_task(source, style, **given)
    output = FilmOutput(str(tmp_path / "parts.mkv"), keep_frames=True)
    for frames in (2, 99):
        with closing(make_film(task, output, Workforce(workers=1))) as made:
            for progress in made:
                if progress.stage == "painting" and progress.done == frames:
                    break
    folder = WorkFolder.beside(tmp_path / "parts.mkv")
    for step in steps:
        assert torch.equal(step.painted, folder.painted(step.number)), step.number
