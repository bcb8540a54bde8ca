import pytest
import torch
from torch import Tensor

from benchmarks.quality.made_clips import MadeClip
from impasto.motion.consistency import find_holes
from impasto.motion.flow import find_flow
from impasto.motion.warping import warp

CLIP = MadeClip(pan=(1.4, -0.6), disc_speed=(-4.3, 2.2), disc_start=(0.7, 0.4))


def holes_between(previous: Tensor, current: Tensor) -> Tensor:
    forward, backward = find_flow(previous, current), find_flow(current, previous)
    return find_holes(previous, current, forward, backward)


@pytest.mark.parametrize("grain", [0.0, 0.03])
def test_holes_are_what_was_hidden_and_little_else(grain: float) -> None:
    clip = MadeClip(
        pan=CLIP.pan, disc_speed=CLIP.disc_speed, disc_start=CLIP.disc_start, grain=grain
    )
    previous, current = clip.frame(0), clip.frame(1)
    holes = holes_between(previous, current)
    assert set(holes.flatten().tolist()) == {0.0, 1.0}
    clean_previous, clean_current = CLIP.frame(0), CLIP.frame(1)
    warped = warp(clean_previous, find_flow(clean_current, clean_previous))
    wrong = (warped - clean_current).abs().mean(1, keepdim=True) > 0.1
    hidden = CLIP.hidden(1, 0).bool()
    # Behind the disc, all that would be seen to be wrong is a hole.
    assert float(holes[hidden & wrong].mean()) > 0.9
    assert float(holes[hidden].mean()) > 0.6
    assert float(holes[~hidden].mean()) < 0.03


def test_what_comes_from_outside_is_a_hole() -> None:
    clip = MadeClip(pan=(6.0, 0.0))
    holes = holes_between(clip.frame(0), clip.frame(1))
    assert float(holes[..., :5].mean()) > 0.95
    assert float(holes[..., 8:].mean()) < 0.01


@pytest.mark.parametrize("grain", [0.0, 0.02, 0.05])
def test_grain_makes_no_holes(grain: float) -> None:
    clip = MadeClip(grain=grain)
    assert float(holes_between(clip.frame(0), clip.frame(1)).mean()) < 0.002


@pytest.mark.parametrize("gains", [(1.0, 0.7), (0.5, 0.25), (1.0, 1.5), (1.5, 1.0), (1.0, 0.0)])
def test_fades_and_flashes_make_no_holes(gains: tuple[float, float]) -> None:
    clip = MadeClip(pan=(0.4, 0.3), gain=lambda number: gains[number])
    assert float(holes_between(clip.frame(0), clip.frame(1)).mean()) < 0.05


def test_another_picture_is_one_hole() -> None:
    holes = holes_between(MadeClip(seed=1).frame(0), MadeClip(seed=2).frame(0))
    assert float(holes.mean()) > 0.5


def test_tiny_frames_have_holes_too() -> None:
    first, second = torch.rand(1, 3, 5, 3), torch.rand(1, 3, 5, 3)
    assert holes_between(first, second).shape == (1, 1, 5, 3)
